from cormorant.models.registry import registry

# their plain names must not meet those of other tests
with registry.isolated():
    from tests.unit.query import models as models
