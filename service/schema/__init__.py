"""The contract in a form that tools read: JSON Schema and AsyncAPI, built from the models that the worker runs on."""

from service.schema.asyncapi import asyncapi_document
from service.schema.completion import completion_schema
from service.schema.model_schema import Schema
from service.schema.request import request_schema
from service.schema.result import error_schema, result_schema

__all__ = ["Schema", "asyncapi_document", "completion_schema", "error_schema", "request_schema", "result_schema"]
