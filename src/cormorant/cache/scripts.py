"""What Redis runs itself, so that nothing comes in between.

A group is a hash: its field "" is the lease, a word that is new each time the group is made, and each other field is a
value, headed by the words of the tags that it rests on. What is dropped is deleted: the next reader makes a new word,
and what was read before has the old one. So it does no harm when Redis gives up keys for want of memory, nor that the
words of tags end after a week, and leave nothing behind.
"""

from __future__ import annotations

READ = """
local tags = tonumber(ARGV[1])
local found = {}
for i = 1, tags do
  local word = redis.pcall('GET', KEYS[i])
  if type(word) ~= 'string' then
    word = ARGV[2]
    redis.call('SET', KEYS[i], word, 'EX', 604800)
  end
  found[i] = word
end
for i = tags + 1, #KEYS do
  local at = 2 * (i - tags)
  local kept = redis.pcall('HMGET', KEYS[i], '', ARGV[at + 1])
  if kept.err or not kept[1] then
    redis.call('DEL', KEYS[i])
    redis.call('HSET', KEYS[i], '', ARGV[2])
    redis.call('PEXPIRE', KEYS[i], ARGV[at + 2])
    kept = {ARGV[2], false}
  end
  found[#found + 1] = kept[1]
  found[#found + 1] = kept[2]
end
return found
"""
"""KEYS: tags, then groups; ARGV: the number of tags, a new word, then for each group a field and milliseconds to live.

Gives the tags' words, then each group's lease and value.
"""

WRITE = """
for i = 1, #KEYS do
  local lease = redis.pcall('HGET', KEYS[i], '')
  if lease == ARGV[4 * i - 3] then
    redis.call('HSET', KEYS[i], ARGV[4 * i - 2], ARGV[4 * i - 1])
    if redis.call('PTTL', KEYS[i]) > tonumber(ARGV[4 * i]) then
      redis.call('PEXPIRE', KEYS[i], ARGV[4 * i])
    end
  end
end
"""
"""KEYS: groups; ARGV: for each the lease that it must have, a field, its value and the most milliseconds to live.

A group lives no longer for a value that comes later: others of its values may be older.
"""
