"""An embedded double of a Kubernetes API server: TLS, tokens, RBAC, storage, and the responses that clients depend on.

The contract tests in `tests/integration/cluster` run against this double and against a real API server. Known differences:

- no watch (405), no OpenAPI, no protobuf or YAML responses, no impersonation, no `exec`, `eviction`, `scale` or token requests;
- objects are validated only as far as `validation.py` does; a merge patch that changes `kind` is ignored, where a real server answers
  422; a template whose labels do not match the selector is accepted;
- messages about invalid bodies, selectors and continue tokens have another wording with the same status and reason;
- a namespace is deleted at once, and its objects remain; deletions answer as with background propagation;
- nodes are stored unchanged: no taint and no default status is added;
- the DaemonSet controller binds its pods, not the scheduler; Deployments have no conditions.
"""
