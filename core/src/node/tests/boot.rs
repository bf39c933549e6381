//! From start to ready, and from shutdown to the end.

use core::time::Duration;

use super::{Lab, code, done};
use crate::engine::{EngineCommand, EngineNotice};
use crate::machine::{CloseReason, Input, Machine, Severity};
use crate::node::{ListenFailure, NodeCommand, NodeNotice, ServiceKind};
use crate::time::{TimerReason, Timestamp};
use crate::wire::{Failure, Value, codes};

const WITHIN: Duration = Duration::from_secs(20);

fn shut_down(lab: &mut Lab) {
    lab.command(NodeCommand::Shutdown { within: WITHIN });
}

fn ready(lab: &Lab) -> bool {
    matches!(lab.notices.last(), Some(NodeNotice::Ready { .. }))
}

fn stopped(lab: &Lab) -> bool {
    matches!(lab.notices.last(), Some(NodeNotice::Stopped))
}

#[test]
fn ready_names_every_service_with_addresses_for_clients() {
    let mut lab = Lab::with(|config| {
        for service in &mut config.services {
            service.at.set_ip([0, 0, 0, 0].into());
        }
        config.advertised = vec![[192, 0, 2, 7].into()];
    });
    lab.command(NodeCommand::Start);
    let Some(NodeNotice::Ready { endpoints }) = lab.notices.pop() else { panic!("ready") };
    assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["locator", "logging", "node", "storage"]);
    assert_eq!(endpoints["locator"], [([192, 0, 2, 7], 10053).into()]);
    assert!(endpoints.values().flatten().all(|addr| addr.port() != 0 && !addr.ip().is_unspecified()));
    let locator = lab.client(ServiceKind::Locator);
    let (_, _, args) = lab.ask(locator, 1, 0, &["locator".into()]);
    assert_eq!(args.as_array().unwrap()[0].to_vec(), b"\x91\x92\xa9192.0.2.7\xcd\x27\x45");
    lab.store_app("echo");
    let node = lab.client(ServiceKind::Node);
    lab.call(node, 1, 0, &["echo".into(), "default".into()]);
    let config = lab.engines.values().next().unwrap();
    assert_eq!(config.locators, ["127.0.0.1:10053"], "workers are on this machine");
}

#[test]
fn services_defect_43_workers_are_told_the_locators_real_port() {
    let mut lab = Lab::with(|config| {
        config.services[0].at.set_port(0);
        config.add_local_app("echo", "/src").unwrap();
    });
    lab.launch.as_mut().unwrap().manifest = Some(Box::new(crate::machine::Document {
        source: "manifest.json".into(),
        value: Value::map([("slave", "worker.py")]),
        positions: Default::default(),
    }));
    lab.command(NodeCommand::Start);
    assert_eq!(lab.engines.values().next().unwrap().locators, ["127.0.0.1:20001"]);
}

#[test]
fn services_defect_43_workers_are_told_addresses_that_need_no_names_and_no_other_family() {
    let told = |bound: &str| {
        let mut lab = Lab::with(|config| config.services[0].at = bound.parse().unwrap());
        lab.store_app("echo");
        lab.command(NodeCommand::Start);
        let node = lab.client(ServiceKind::Node);
        lab.call(node, 1, 0, &["echo".into(), "default".into()]);
        lab.engines.values().next().unwrap().locators.clone()
    };
    assert_eq!(told("0.0.0.0:10054"), ["127.0.0.1:10054"]);
    assert_eq!(told("[::]:10054"), ["127.0.0.1:10054", "[::1]:10054"]);
    assert_eq!(told("[::1]:10054"), ["[::1]:10054"]);
    assert_eq!(told("192.0.2.7:10054"), ["192.0.2.7:10054"]);
}

#[test]
fn services_defect_17_a_port_in_use_is_said_with_service_and_address() {
    let mut lab = Lab::with(|_| ());
    lab.refused.insert(10053, 98);
    lab.command(NodeCommand::Start);
    let Some(NodeNotice::Failed { errors }) = lab.notices.pop() else { panic!("failed") };
    let [ListenFailure { service, at, error }] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((&**service, at.to_string(), error.errno), ("locator", "127.0.0.1:10053".to_owned(), 98));
    assert_eq!(errors[0].to_string(), "service locator cannot listen on 127.0.0.1:10053: error 98");
    assert!(lab.listeners.is_empty(), "the others are closed again");
    assert!(lab.stores.is_empty() && lab.engines.is_empty());
}

#[test]
fn services_take_another_port_of_the_range_when_one_is_in_use() {
    let mut lab = Lab::with(|config| config.ports.range = Some((9000, 9004)));
    lab.refused.insert(9000, 98);
    lab.command(NodeCommand::Start);
    assert!(ready(&lab));
    let mut lab = Lab::with(|config| config.ports.range = Some((9000, 9004)));
    lab.refused.extend([(9000, 98), (9001, 98)]);
    lab.command(NodeCommand::Start);
    let Some(NodeNotice::Failed { errors }) = lab.notices.pop() else { panic!("failed") };
    assert!(errors[0].to_string().contains("no port of the range 9000 to 9003 is free"), "{}", errors[0]);
}

#[test]
fn services_may_be_renamed_and_left_out() {
    let mut lab = Lab::with(|config| {
        config.services.retain(|service| service.kind != ServiceKind::Storage);
        config.services[1].name = "control".into();
    });
    lab.command(NodeCommand::Start);
    let locator = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(locator, 1, 0, &["control".into()]).1, 0);
    assert_eq!(code(&lab.ask(locator, 2, 0, &["node".into()])), (10, 1));
    assert_eq!(code(&lab.ask(locator, 3, 0, &["storage".into()])), (10, 1));
}

fn with_runlist(runlist: &Value) -> Lab {
    let mut lab = Lab::with(|config| config.runlist = Some("default".into()));
    lab.put("runlists", "default", runlist);
    for app in ["one", "two"] {
        lab.store_app(app);
    }
    lab
}

#[test]
fn the_runlist_is_started_and_its_failures_stop_nobody() {
    let runlist = [("one", "default"), ("missing", "default"), ("node", "default"), ("two", "default")];
    let mut lab = with_runlist(&Value::map(runlist));
    lab.command(NodeCommand::Start);
    let apps: Vec<String> = lab.engines.values().map(|config| config.app.to_string()).collect();
    assert_eq!(apps, ["one", "two"]);
    assert!(lab.log_says("app missing cannot start: manifests/missing"));
    assert!(lab.log_says("app node is not started"));
    assert!(!ready(&lab), "two starts are undecided");
    lab.engine_starts(1);
    assert!(!ready(&lab));
    lab.engine_says(2, EngineNotice::Broken { failure: codes::PUBLISH_FAILED.into() });
    assert!(ready(&lab));
}

#[test]
fn the_node_answers_while_its_first_apps_start() {
    let mut lab = with_runlist(&Value::map([("one", "default")]));
    lab.command(NodeCommand::Start);
    assert!(!ready(&lab));
    let node = lab.client(ServiceKind::Node);
    assert_eq!(lab.ask(node, 1, 2, &[]).2, Value::array([Value::array(["one"])]));
    let again = lab.ask(node, 2, 0, &["one".into(), "default".into()]);
    assert_eq!((code(&again), ready(&lab)), ((20_991, 5), false), "a refused start decides nothing");
    lab.call(node, 3, 1, &["one".into()]);
    assert!(ready(&lab), "stopped: that decides it");
}

#[test]
fn a_new_node_needs_no_runlist() {
    let mut lab = Lab::with(|config| config.runlist = Some("default".into()));
    lab.command(NodeCommand::Start);
    assert!(ready(&lab) && lab.log_says("no app is started from the runlist: there is none yet"));
    assert!(lab.logs.iter().all(|record| record.severity <= Severity::Info), "{:?}", lab.logs);
}

#[test]
fn a_runlist_that_is_missing_or_broken_is_a_warning() {
    let mut lab = Lab::with(|config| config.runlist = Some("web".into()));
    lab.command(NodeCommand::Start);
    assert!(ready(&lab) && lab.log_says("no app is started from the runlist: runlists/web: no runlists/web"));
    let mut lab = with_runlist(&Value::Uint(1));
    lab.command(NodeCommand::Start);
    assert!(ready(&lab) && lab.log_says("runlists/default: the document is 1: must be a map"));
    let warnings = lab.logs.iter().filter(|record| record.severity == Severity::Warning);
    assert_eq!(warnings.count(), 1);
}

#[test]
fn services_defect_35_shutdown_waits_for_every_app() {
    let mut lab = with_runlist(&Value::map([("one", "default"), ("two", "default")]));
    lab.command(NodeCommand::Start);
    lab.engine_starts(1);
    lab.engine_starts(2);
    let (node, storage) = (lab.client(ServiceKind::Node), lab.client(ServiceKind::Storage));
    lab.told();
    shut_down(&mut lab);
    assert_eq!(lab.told(), [(1, EngineCommand::Stop), (2, EngineCommand::Stop)]);
    let open: Vec<ServiceKind> =
        lab.node.listeners.values().map(super::super::boot::Listener::kind).collect();
    assert_eq!(open, [ServiceKind::Locator, ServiceKind::Storage, ServiceKind::Logging]);
    let refused = lab.ask(node, 1, 0, &["one".into(), "default".into()]);
    assert_eq!(code(&refused), (12, 32));
    assert_eq!(lab.ask(storage, 1, 1, &["c".into(), "k".into(), "v".into()]), done(1), "workers may finish");
    lab.engine_says(1, EngineNotice::Stopped);
    assert!(!stopped(&lab));
    lab.engine_says(2, EngineNotice::Stopped);
    assert!(stopped(&lab) && lab.listeners.is_empty());
    assert_eq!(lab.closed(storage), Some(&CloseReason::Stopping));
    assert_eq!(lab.node.next_timeout(), None);
}

#[test]
fn shutdown_answers_those_who_wait() {
    let mut lab = Lab::with_echo();
    lab.store_app("late");
    let node = lab.client(ServiceKind::Node);
    lab.call(node, 1, 0, &["echo".into(), "default".into()]);
    lab.hold_stores = true;
    lab.call(node, 2, 0, &["late".into(), "default".into()]);
    shut_down(&mut lab);
    let frames = lab.frames(node);
    assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [1, 2]);
    assert!(frames.iter().all(|frame| code(frame) == (12, 32)));
    lab.answer_stores();
    assert!(lab.launches.len() == 1 && !stopped(&lab), "what is read too late starts nothing");
    lab.engine_says(1, EngineNotice::Broken { failure: Failure::from(codes::APP_STOPPED) });
    assert!(stopped(&lab));
}

#[test]
fn shutdown_ends_in_time_whatever_hangs() {
    let mut lab = Lab::with_echo();
    let node = lab.client(ServiceKind::Node);
    lab.call(node, 1, 0, &["echo".into(), "default".into()]);
    lab.engine_starts(1);
    shut_down(&mut lab);
    let end = Timestamp::ZERO + WITHIN;
    assert_eq!(lab.node.next_timeout(), Some((end, TimerReason::Stop)));
    lab.now = end;
    lab.input(Input::Timeout);
    assert!(stopped(&lab) && lab.log_says("these apps are left behind: echo"));
    assert!(lab.closed(node).is_some());
}

#[test]
fn shutdown_waits_a_second_for_clients_to_take_their_answers() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    lab.stick(locator);
    lab.call(locator, 1, 6, &[]);
    shut_down(&mut lab);
    assert!(!stopped(&lab) && lab.closed(locator).is_none());
    let mut patient = lab;
    patient.unstick(locator);
    assert!(stopped(&patient) && patient.closed(locator).is_some());

    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    lab.stick(locator);
    lab.call(locator, 1, 6, &[]);
    shut_down(&mut lab);
    lab.now = Timestamp::from_secs(1);
    lab.input(Input::Timeout);
    assert!(stopped(&lab) && lab.closed(locator).is_some());
}

#[test]
fn a_shutdown_before_or_during_the_start_is_a_shutdown() {
    let mut lab = Lab::with(|_| ());
    shut_down(&mut lab);
    assert!(stopped(&lab));
    let mut lab = with_runlist(&Value::map([("one", "default")]));
    lab.hold_stores = true;
    lab.command(NodeCommand::Start);
    shut_down(&mut lab);
    assert!(stopped(&lab));
    lab.answer_stores();
    assert!(lab.engines.is_empty() && lab.notices.len() == 1);
}

#[test]
fn apps_get_their_pinned_port_or_one_of_the_range_and_give_it_back() {
    let mut lab = Lab::with(|config| {
        config.services.iter_mut().for_each(|service| service.at.set_port(10_053));
        config.ports.range = Some((9000, 9001));
        config.ports.pinned.insert("pinned".into(), 7777);
    });
    lab.command(NodeCommand::Start);
    for app in ["pinned", "one", "two"] {
        lab.store_app(app);
    }
    let node = lab.client(ServiceKind::Node);
    let port = |lab: &Lab| lab.engines.values().last().unwrap().listen.1;
    lab.call(node, 1, 0, &["pinned".into(), "default".into()]);
    assert_eq!(port(&lab), 7777);
    lab.call(node, 2, 0, &["one".into(), "default".into()]);
    assert_eq!(port(&lab), 9000);
    assert_eq!(code(&lab.ask(node, 3, 0, &["two".into(), "default".into()])), (20_991, 2));
    lab.engine_says(2, EngineNotice::Stopped);
    lab.frames(node);
    lab.call(node, 4, 0, &["two".into(), "default".into()]);
    assert_eq!(port(&lab), 9000);
    lab.engine_says(3, EngineNotice::Broken { failure: codes::PUBLISH_FAILED.into() });
    lab.frames(node);
    assert_eq!(code(&lab.ask(node, 5, 0, &["two".into(), "default".into()])), (20_991, 2), "somebody else's");
}
