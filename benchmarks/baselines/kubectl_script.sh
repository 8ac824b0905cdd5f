#!/bin/sh
# Repair by hand: a token, the annotation and the restart, each in a process of its own.
set -eu
run_kubectl() {
  kubectl --server "$SERVER" --certificate-authority "$CA" --token "$($GET_TOKEN "$CLUSTER")" --namespace kube-system "$@"
}
run_kubectl annotate --overwrite serviceaccount aws-node "eks.amazonaws.com/role-arn=$ROLE_ARN"
run_kubectl rollout restart daemonset/aws-node
