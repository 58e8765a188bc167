"""videogen-worker: video-generation requests from RabbitMQ to a paid HTTP endpoint, one result for each."""
