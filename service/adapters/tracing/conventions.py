"""Names of attributes: those of OpenTelemetry's semantic conventions, and our own, which begin with `videogen.`.

Written out, because the library keeps the names for messaging, which are not stable yet, in a private package.
Sources: https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/ and …/semconv/http/http-spans/.
"""

from collections.abc import Mapping

Attributes = Mapping[str, str | int | bool]

ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"

MESSAGING_SYSTEM = "messaging.system"
RABBITMQ = "rabbitmq"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION_NAME = "messaging.destination.name"
DESTINATION_TEMPLATE = "messaging.destination.template"
ROUTING_KEY = "messaging.rabbitmq.destination.routing_key"
MESSAGE_ID = "messaging.message.id"
CONVERSATION_ID = "messaging.message.conversation_id"
BODY_SIZE = "messaging.message.body.size"

REQUEST_METHOD = "http.request.method"
RESEND_COUNT = "http.request.resend_count"
RESPONSE_STATUS_CODE = "http.response.status_code"
URL_FULL = "url.full"
URL_TEMPLATE = "url.template"

EXCEPTION = "exception"
EXCEPTION_TYPE = "exception.type"

REDELIVERED = "videogen.redelivered"
CALLS_BEFORE = "videogen.calls_before"
POSTPONED = "videogen.postponed"
OUTCOME = "videogen.outcome"
TASK_ID = "videogen.task_id"
PARKED = "videogen.parked"
CALL_RESULT = "videogen.call_result"
IN_DOUBT = "videogen.in_doubt"
RETRY_REASON = "videogen.retry.reason"
RETRY_DELAY = "videogen.retry.delay"
PUBLISH_OUTCOME = "videogen.publish_outcome"
