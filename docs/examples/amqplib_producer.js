// Sends one request with amqplib, and waits for its result in a queue of its own.
//
//     npm install amqplib
//     export VIDEOGEN_BROKER__URL=amqp://guest:guest@localhost:5672/
//     node amqplib_producer.js
//     node amqplib_producer.js '{"model": "wan2.2-t2v-plus", "prompt": "A fox in the snow"}' order-4711
//
// The arguments are the request and its id. Without an id there is a new one, and so a new video, each time.
// Where the worker has a VIDEOGEN_BROKER__PREFIX, set the same here.
//
// Prints the task id, or the error. Exit status: 0 submitted, 1 failed, 2 nothing came within 60 s.

"use strict";

const { randomUUID } = require("node:crypto");

const amqplib = require("amqplib");

const BROKER = process.env.VIDEOGEN_BROKER__URL || "amqp://guest:guest@localhost:5672/";
const EXCHANGE = process.env.VIDEOGEN_BROKER__PREFIX || "videogen";
const REQUEST = { model: "wan2.2-t2v-plus", prompt: "A lighthouse at dawn", size: "832*480" };
const WAIT = 60; // seconds

async function ask(body, requestId) {
  const connection = await amqplib.connect(BROKER, { timeout: WAIT * 1000 });
  try {
    const channel = await connection.createConfirmChannel();
    let answer;
    const result = new Promise((resolve, reject) => {
      answer = (message) => (message ? resolve(JSON.parse(message.content)) : reject(new Error("the queue is gone")));
      // Without a listener for `error`, Node ends the program.
      connection.on("error", reject);
      connection.on("close", () => reject(new Error("the connection was lost")));
      channel.on("error", reject);
      // What no queue takes comes back, and is confirmed all the same.
      channel.on("return", () => reject(new Error("no queue takes requests: start the worker once, which declares it")));
      setTimeout(() => reject(new Error(`none came within ${WAIT} s`)), WAIT * 1000).unref();
    });
    // It is awaited below; until then a failure must not end the program.
    result.catch(() => {});

    // The broker gives it a name, and deletes it with this connection.
    const { queue } = await channel.assertQueue("", { exclusive: true });
    // With several requests under way, tell their results apart by `correlationId`, which is the request id.
    await channel.consume(queue, answer, { noAck: true });
    channel.publish(EXCHANGE, "request", Buffer.from(body), {
      messageId: requestId,
      replyTo: queue,
      contentType: "application/json",
      persistent: true,
      mandatory: true,
    });
    const [first] = await Promise.all([result, channel.waitForConfirms()]);
    return first;
  } finally {
    await connection.close().catch(() => {});
  }
}

const body = process.argv[2] || JSON.stringify(REQUEST);
const requestId = process.argv[3] || randomUUID();
ask(body, requestId).then(
  (result) => {
    if (result.status === "submitted") {
      console.log(result.task_id);
    } else {
      console.log(`${result.error.code}: ${result.error.message}`);
      process.exitCode = 1;
    }
  },
  (problem) => {
    console.error(`No result for request ${requestId}: ${problem.message || problem.code}`);
    console.error("Is a worker running? Send the request again under the same id.");
    process.exitCode = 2;
  },
);
