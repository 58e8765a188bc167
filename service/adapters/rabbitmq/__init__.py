"""RabbitMQ over aio-pika: two links, one consumer, one publisher."""
