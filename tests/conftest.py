from tests.kafka_broker import kafka_broker, own_broker
from tests.postgres_server import database_url, postgres_url
from tests.sample_home import home, registered, sources

__all__ = ["database_url", "home", "kafka_broker", "own_broker", "postgres_url", "registered", "sources"]
