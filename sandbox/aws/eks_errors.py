"""Errors of the EKS API in the shapes of its service model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sandbox.aws.http_messages import Response, json_response
from sandbox.aws.model_check import checked

if TYPE_CHECKING:
    from botocore.model import ServiceModel

# Errors that every AWS API can return, and that no operation's model lists.
# Source: https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html
_COMMON_STATUS = {"AccessDeniedException": 403, "UnknownOperationException": 404}


class EksError(Exception):
    """A call that EKS rejects. `fields` are members of the error's shape besides `message`."""

    def __init__(self, code: str, message: str, **fields: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields


def not_found(message: str, **fields: str) -> EksError:
    return EksError("ResourceNotFoundException", message, **fields)


def in_use(message: str, **fields: str) -> EksError:
    return EksError("ResourceInUseException", message, **fields)


def invalid_parameter(message: str, **fields: str) -> EksError:
    return EksError("InvalidParameterException", message, **fields)


def invalid_request(message: str, **fields: str) -> EksError:
    return EksError("InvalidRequestException", message, **fields)


def access_denied(message: str) -> EksError:
    return EksError("AccessDeniedException", message)


def response_of(refusal: EksError, model: ServiceModel) -> Response:
    """The HTTP response: code in `x-amzn-ErrorType`, members in the body, status from the model.

    Raises:
        ModelMismatch: the error's shape does not have a member.
    """
    headers = {"x-amzn-ErrorType": refusal.code}
    body: dict[str, Any] = {"message": refusal.message, **refusal.fields}
    if refusal.code in _COMMON_STATUS:
        return json_response(_COMMON_STATUS[refusal.code], body, headers)
    shape = model.shape_for(refusal.code)
    error = cast("dict[str, Any]", shape.metadata["error"])
    return json_response(int(error["httpStatusCode"]), checked(shape, body), headers)
