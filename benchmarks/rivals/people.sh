#!/bin/sh
# What people script, and paste from the runbook: a token, the annotation, the restart. Each is a process, as with the real commands.
set -eu
ask() {
  kubectl --server "$SERVER" --certificate-authority "$CA" --token "$($GET_TOKEN "$CLUSTER")" --namespace kube-system "$@"
}
ask annotate --overwrite serviceaccount aws-node "eks.amazonaws.com/role-arn=$ROLE_ARN"
ask rollout restart daemonset/aws-node
