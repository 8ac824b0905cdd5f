"""Everything a command works with, wired from the options it was given. Tests put fakes in the place of `connect`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.outside import Outside

if TYPE_CHECKING:
    from cli.asked import Asked


def connect(asked: Asked) -> Outside:
    """The real ones, with the credentials of this shell.

    Raises:
        RemediatorError: there are none, or AWS does not take them.
    """
    from cli import deployed, ledger
    from cli.announcers import AwsAnnouncers
    from cli.aws import PersonsSession, caller, region_of
    from cli.kubernetes_access import AwsDoor, KubeconfigDoor, PersonsClusters
    from cli.output import progress
    from cli.permissions import PersonsRights
    from cli.surroundings import AwsSurroundings
    from cli.writes import LambdaCallbacks, Parameters, TestedPatterns
    from lambdas.adapters.change_calendar import Calendar
    from lambdas.adapters.eks import Eks
    from lambdas.adapters.eks_token import Tokens
    from lambdas.adapters.event_bus import EventBus
    from lambdas.adapters.iam import Iam
    from lambdas.adapters.incidents import Incidents
    from lambdas.adapters.notifier import Notifier
    from lambdas.adapters.parameter_store import ParameterStore
    from lambdas.application.readers import Readers

    with progress("asking AWS who we are"):
        session = PersonsSession(region_of(asked.profile, asked.region), profile=asked.profile, role_arn=asked.role_arn)
        us = caller(session)
        stack = deployed.find(session, asked.stack)
    here = stack or deployed.without_stack(us, session.region)
    clusters = PersonsClusters(
        KubeconfigDoor(asked.kubeconfig, asked.context) if asked.kubeconfig else AwsDoor(Tokens(session, us.partition))
    )
    eks = Eks(session, keep_s=60)
    return Outside(
        caller=us.arn,
        environment=here,
        deployed=stack is not None,
        readers=Readers(
            parameters=ParameterStore(session),
            eks=eks,
            iam=Iam(session, account=us.account, partition=us.partition),
            clusters=clusters,
            account=us.account,
            region=session.region,
            partition=us.partition,
            may_simulate=True,
        ),
        incidents=Incidents(session, here.incidents_table) if stack else ledger.in_memory(),
        calendar=Calendar(session),
        notifier=Notifier(session, chat_topic_arn=here.chat_topic_arn, people_topic_arn=here.people_topic_arn),
        events=EventBus(session, here.event_bus) if stack else ledger.NoBus(),
        parameters=Parameters(session),
        register=ledger.TableRegister(session, here.incidents_table) if stack else ledger.NoRegister(),
        callbacks=LambdaCallbacks(session),
        rights=PersonsRights(session, eks, clusters),
        surroundings=AwsSurroundings(session, here.remediator_arn),
        announcers=AwsAnnouncers(session),
        patterns=TestedPatterns(session),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )
