<?php
// Sends one request with php-amqplib, and waits for its result in a queue of its own.
//
//     composer require php-amqplib/php-amqplib          # or Debian's package php-amqplib
//     export VIDEOGEN_BROKER__URL=amqp://guest:guest@localhost:5672/
//     php php_amqplib_producer.php
//     php php_amqplib_producer.php '{"model": "wan2.2-t2v-plus", "prompt": "A fox in the snow"}' order-4711
//
// The arguments are the request and its id. Without an id there is a new one, and so a new video, each time.
// Where the worker has a VIDEOGEN_BROKER__PREFIX, set the same here.
//
// Prints the task id, or the error. Exit status: 0 submitted, 1 failed, 2 nothing came within 60 s.

declare(strict_types=1);

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

// Composer's, or Debian's.
foreach (['vendor/autoload.php', 'PhpAmqpLib/autoload.php'] as $file) {
    if (stream_resolve_include_path($file)) {
        require $file;
        break;
    }
}

const WAIT = 60; // seconds
const CONNECT = 10.0;
const REQUEST = ['model' => 'wan2.2-t2v-plus', 'prompt' => 'A lighthouse at dawn', 'size' => '832*480'];

function connect(string $url): AMQPStreamConnection
{
    $at = parse_url($url);
    return new AMQPStreamConnection(
        $at['host'],
        $at['port'] ?? 5672,
        rawurldecode($at['user'] ?? 'guest'),
        rawurldecode($at['pass'] ?? 'guest'),
        rawurldecode(substr($at['path'] ?? '', 1)) ?: '/',
        connection_timeout: CONNECT,
        read_write_timeout: CONNECT,
    );
}

function ask(string $body, string $id): array
{
    $connection = connect(getenv('VIDEOGEN_BROKER__URL') ?: 'amqp://guest:guest@localhost:5672/');
    $channel = $connection->channel();
    $channel->confirm_select();
    $channel->set_return_listener(function () {
        throw new RuntimeException('no queue takes requests: start the worker once, which declares it');
    });
    $channel->set_nack_handler(function () {
        throw new RuntimeException('the broker did not take the request');
    });

    // The broker gives it a name, and deletes it with this connection.
    [$replies] = $channel->queue_declare('', exclusive: true);
    $answer = null;
    // With several requests under way, tell their results apart by `correlation_id`, which is the request id.
    $channel->basic_consume($replies, no_ack: true, callback: function (AMQPMessage $message) use (&$answer) {
        $answer = $message->getBody();
    });
    $message = new AMQPMessage($body, [
        'message_id' => $id,
        'reply_to' => $replies,
        'content_type' => 'application/json',
        'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
    ]);
    $exchange = getenv('VIDEOGEN_BROKER__PREFIX') ?: 'videogen';
    $channel->basic_publish($message, $exchange, 'request', mandatory: true);
    $channel->wait_for_pending_acks_returns(WAIT);
    $deadline = microtime(true) + WAIT;
    while ($answer === null) {
        $channel->wait(null, false, max(0.001, $deadline - microtime(true)));
    }
    $connection->close();
    return json_decode($answer, true, flags: JSON_THROW_ON_ERROR);
}

$body = $argv[1] ?? json_encode(REQUEST);
$id = $argv[2] ?? bin2hex(random_bytes(16));
try {
    $result = ask($body, $id);
} catch (Exception $problem) {
    fwrite(STDERR, "No result for request $id: {$problem->getMessage()}\n");
    fwrite(STDERR, "Is a worker running? Send the request again under the same id.\n");
    exit(2);
}
if ($result['status'] === 'submitted') {
    echo $result['task_id'], "\n";
    exit(0);
}
echo "{$result['error']['code']}: {$result['error']['message']}\n";
exit(1);
