"""Build the dependencies of a command from its options. Tests replace `connect` with fakes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.clients.dependencies import Dependencies

if TYPE_CHECKING:
    from cli.clients.aws_session import CallerIdentity, UserSession
    from cli.clients.cluster_login import ClusterLogin
    from cli.options import GlobalOptions
    from lambdas.contract.environment import Environment


def connect(options: GlobalOptions) -> Dependencies:
    """Return the dependencies, with the credentials of this shell.

    Raises:
        RemediatorError: there are no credentials, or AWS rejects them.
    """
    from cli.clients import deployed_stack
    from cli.clients.aws_session import UserSession, caller_identity, region_of
    from cli.clients.cluster_login import KubeconfigLogin
    from cli.output import progress

    with progress("reading the AWS identity"):
        session = UserSession(region_of(options.profile, options.region), profile=options.profile, role_arn=options.role_arn)
        caller = caller_identity(session)
        stack = deployed_stack.find(session, options.stack)
    login = KubeconfigLogin(options.kubeconfig, options.context) if options.kubeconfig else None
    return dependencies_of(session, caller, stack, login)


def dependencies_of(
    session: UserSession, caller: CallerIdentity, stack: Environment | None, login: ClusterLogin | None = None
) -> Dependencies:
    """Return the dependencies for the account and region of the session. Without `login`, its credentials log in to clusters."""
    from cli.clients import deployed_stack, incident_table
    from cli.clients.aws_calls import EventBridgePatternTester, LambdaCallbacks, ParameterStoreWriter
    from cli.clients.cluster_access import UserClusterAccess
    from cli.clients.cluster_login import AwsLogin, UserClusters
    from cli.clients.identity_inventory import AwsIdentityInventory
    from cli.clients.local_incidents import LocalIncidents
    from cli.clients.migration_writer import AwsMigrationWriter
    from cli.clients.role_policies import IamRolePolicies
    from cli.clients.stack_events import EventBridgeRules
    from cli.clients.stack_functions import LambdaFunctions
    from cli.clients.stack_operation import CloudWatchAndSqs, IamPolicySimulator, SnsTopics
    from cli.clients.stack_ports import StackClients
    from cli.clients.trigger_source_reader import AwsTriggerSources
    from lambdas.adapters.change_calendar import Calendar
    from lambdas.adapters.eks import Eks
    from lambdas.adapters.eks_token import Tokens
    from lambdas.adapters.event_bus import EventBus
    from lambdas.adapters.iam import Iam
    from lambdas.adapters.incidents import Incidents
    from lambdas.adapters.notifier import Notifier
    from lambdas.adapters.parameter_store import ParameterStore
    from lambdas.application.readers import Readers
    from lambdas.contract.settings import parse_floor

    environment = stack or deployed_stack.without_stack(caller, session.region)
    clusters = UserClusters(login or AwsLogin(Tokens(session, caller.partition)))
    eks = Eks(session, ttl_s=60)
    return Dependencies(
        caller=caller.arn,
        environment=environment,
        is_deployed=stack is not None,
        readers=Readers(
            parameters=ParameterStore(session),
            eks=eks,
            iam=Iam(session, account=caller.account, partition=caller.partition),
            clusters=clusters,
            new_executor=ThreadPoolExecutor,
            account=caller.account,
            region=session.region,
            partition=caller.partition,
            may_simulate=True,
            bound_roles=tuple(environment.bound_roles.split(",")),
            floor=parse_floor(environment.settings_floor),
        ),
        incidents=Incidents(session, environment.incidents_table) if stack else LocalIncidents(),
        calendar=Calendar(session),
        notifier=Notifier(session, chat_topic_arn=environment.chat_topic_arn, people_topic_arn=environment.people_topic_arn),
        events=EventBus(session, environment.event_bus) if stack else incident_table.NullEventBus(),
        parameters=ParameterStoreWriter(session),
        incident_list=incident_table.IncidentTable(session, environment.incidents_table) if stack else incident_table.EmptyIncidentList(),
        callbacks=LambdaCallbacks(session),
        cluster_access=UserClusterAccess(session, eks, clusters),
        identities=AwsIdentityInventory(session, clusters),
        migration=AwsMigrationWriter(session),
        role_policies=IamRolePolicies(session),
        trigger_sources=AwsTriggerSources(session),
        pattern_tester=EventBridgePatternTester(session),
        stack=StackClients(
            functions=LambdaFunctions(session),
            events=EventBridgeRules(session, environment),
            notifications=SnsTopics(session),
            operation=CloudWatchAndSqs(session),
            policies=IamPolicySimulator(session),
        ),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )
