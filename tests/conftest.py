from tests.kafka_broker import kafka_broker, own_broker
from tests.postgres_server import database_url, postgres_url  # noqa: F401

__all__ = ["kafka_broker", "own_broker"]
