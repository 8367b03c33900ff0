"""What the tests of persistence share: objects as if loaded, and an owner that only listens."""

from __future__ import annotations

from itertools import count
from typing import Any, NoReturn, cast

import pytest

from cormorant import Model
from cormorant.models.state import Origin, new_ghost, set_class
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.unit_of_work import UnitOfWork


class Listener:
    """Owns objects without a database."""

    closed = False
    wait = None

    def __init__(self) -> None:
        self.identity = IdentityMap()
        self.unit = UnitOfWork(self, self.identity, lambda _: None, count(1), eager=False)
        self._numbers = 0

    def touched(self, instance: Model) -> None:
        self.unit.touched(instance)

    def opened(self, instance: Any) -> None:
        self.identity.opened(instance)

    def collection_touched(self, collection: Any) -> None:
        self.unit.collection_touched(collection)

    def shown(self, instance: Model, name: str) -> None:
        self.unit.history.keep_side(instance, name)

    def lost(self, instance: Model) -> None:
        pass

    def reached(self, instance: Model) -> None:
        self.unit.add(instance)

    def known(self, info: Any, key: Any) -> Model | None:
        return cast("Model | None", self.identity.get(info, key))

    def reference(self, relation: Any, key: Any, beside: Model) -> Any:
        known = self.identity.of(relation.target)
        if key not in known:
            known[key] = new_ghost(relation.target, {relation.target.key_attributes[0]: key}, Origin(self, 0))
        return known[key]

    def load_now(self, instance: Model, relation: Any = None) -> bool:
        return False

    def members(self, instance: Model, relation: Any) -> NoReturn:
        raise NotImplementedError

    def link(self, verb: Any, instance: Model, relation: Any, items: Any = ()) -> NoReturn:
        raise NotImplementedError

    async def load(self, instance: Model) -> NoReturn:
        raise NotImplementedError

    async def load_relation(self, instance: Model, relation: Any) -> NoReturn:
        raise NotImplementedError

    def origin(self) -> Origin:
        self._numbers += 1
        return Origin(self, self._numbers)

    def loaded(self, model: type[Model], **values: Any) -> Any:
        """Gives an object as a row would make it."""
        info = model.__info__
        names = {name: values.get(name, column.spec.default) for name, column in info.by_attribute.items()}
        instance = new_ghost(info, names, self.origin())
        set_class(instance, info.cls)
        key = tuple(names[name] for name in info.key_attributes)
        self.identity.put(info, key[0] if len(key) == 1 else key, instance)
        return instance


@pytest.fixture
def owner() -> Listener:
    return Listener()
