"""An embedded double of a Kubernetes API server: TLS, tokens, RBAC, storage and the answers that clients rely on.

The contract tests in `tests/integration/cluster` run against it and against a real API server. Known to differ, and out of its scope:

- no watch (405), no OpenAPI, no protobuf or YAML answers, no impersonation, no `exec`, `eviction`, `scale` or token requests;
- objects are validated only as far as `validation.py` goes, and a merge patch may not change `kind` unnoticed: it is ignored, where a
  real server answers 422; a template whose labels miss the selector is accepted;
- messages about bodies, selectors and continue tokens that do not parse use other words behind the same status and reason;
- a namespace goes at once, and what is in it stays; bodies of deletion are those of background propagation;
- nodes are stored as they are given: no taint, no default status is added;
- DaemonSet pods are bound by their controller, not by the scheduler; conditions of Deployments are not kept.
"""
