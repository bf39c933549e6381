//! Starting, stopping, listing and looking at apps.

use super::{Lab, code, done, error, text};
use crate::engine::{EngineCommand, EngineNotice};
use crate::machine::{ConnId, LaunchError, LaunchRequest};
use crate::node::{NodeCommand, ServiceKind};
use crate::wire::{Failure, Value, codes};

const START: u32 = 0;
const PAUSE: u32 = 1;
const LIST: u32 = 2;
const INFO: u32 = 3;

fn echo() -> Vec<Value> {
    vec!["echo".into(), "default".into()]
}

/// A node with the app `echo`, and a client of its node service.
fn lab() -> (Lab, ConnId) {
    let mut lab = Lab::with_echo();
    let node = lab.client(ServiceKind::Node);
    (lab, node)
}

/// The same, and the app has started on channel 1.
fn running() -> (Lab, ConnId) {
    let (mut lab, node) = lab();
    lab.call(node, 1, START, &echo());
    lab.engine_starts(1);
    assert_eq!(lab.frames(node), [done(1)]);
    (lab, node)
}

fn names(lab: &mut Lab, node: ConnId, channel: u64) -> Vec<String> {
    let (_, _, args) = lab.ask(node, channel, LIST, &[]);
    let list = args.as_array().unwrap()[0].as_array().unwrap().to_vec();
    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn info(lab: &mut Lab, node: ConnId, channel: u64) -> Value {
    let (_, message, args) = lab.ask(node, channel, INFO, &["echo".into()]);
    assert_eq!(message, 0);
    args.as_array().unwrap()[0].clone()
}

#[test]
fn a_start_reads_deploys_and_runs_and_then_answers() {
    let (mut lab, node) = lab();
    lab.call(node, 1, START, &echo());
    let LaunchRequest::Unpack { app, archive, spool } = &lab.launches[0].1 else { panic!("unpacked") };
    assert_eq!((&**app, &archive[..], spool), ("echo", &b"an archive"[..], &None));
    let config = lab.engines.values().next().unwrap();
    assert_eq!((config.app.as_str(), &*config.profile_name), ("echo", "default"));
    assert_eq!(config.manifest.executable(), "worker.py");
    assert_eq!(config.profile.pool_limit(), 4);
    assert_eq!((&*config.directory, &*config.socket), ("/spool/app", "/run/node/echo.1"));
    assert_eq!(config.locators, ["127.0.0.1:10053"]);
    assert_eq!(config.listen, ([127, 0, 0, 1].into(), 0));
    assert_eq!(config.uid, 1000);
    assert_eq!(lab.frames(node), [], "not before it has started");
    lab.engine_starts(1);
    assert_eq!(lab.frames(node), [done(1)]);
    assert_eq!(names(&mut lab, node, 2), ["echo"]);
}

#[test]
fn a_second_start_names_app_and_state() {
    let (mut lab, node) = lab();
    lab.hold_stores = true;
    lab.call(node, 1, START, &echo());
    let answer = lab.ask(node, 2, START, &echo());
    assert_eq!(code(&answer), (20_991, 5));
    assert_eq!(text(&answer), "application \"echo\" has already been started: it is spooling");
    lab.hold_stores = false;
    lab.answer_stores();
    lab.engine_starts(1);
    assert_eq!(lab.frames(node), [done(1)]);
    let answer = lab.ask(node, 3, START, &echo());
    assert_eq!(text(&answer), "application \"echo\" has already been started: it is running");
    assert_eq!(lab.engines.len(), 1);
}

#[test]
fn what_is_missing_or_invalid_is_said_with_its_code() {
    let break_manifest =
        |lab: &mut Lab| lab.put("manifests", "echo", &Value::map([("slave", Value::Uint(1))]));
    type Change = fn(&mut Lab);
    let rows: [(Change, (u64, u64), &str); 8] = [
        (|lab| drop(lab.stored.remove(&("manifests".into(), "echo".into()))), (12, 2), "manifests/echo: no "),
        (
            |lab| drop(lab.stored.remove(&("profiles".into(), "default".into()))),
            (12, 2),
            "profiles/default: no ",
        ),
        (|lab| drop(lab.stored.remove(&("apps".into(), "echo".into()))), (12, 2), "apps/echo: no "),
        (break_manifest, (12, 22), "manifests/echo: slave is 1: must be a string"),
        (
            |lab| lab.put("manifests", "echo", &Value::Map(vec![])),
            (12, 22),
            "runnable object has not been specified",
        ),
        (
            |lab| lab.put("profiles", "default", &Value::map([("pool-limit", Value::Uint(0))])),
            (12, 22),
            "profiles/default: pool-limit is 0",
        ),
        (|lab| lab.put("apps", "echo", &Value::Uint(1)), (12, 22), "apps/echo: is no archive"),
        (
            |lab| lab.launch = Err(LaunchError { errno: 28, text: "no space for 9 bytes".into() }),
            (20_991, 7),
            "no space for 9 bytes",
        ),
    ];
    for (change, expected, part) in rows {
        let (mut lab, node) = lab();
        change(&mut lab);
        let answer = lab.ask(node, 1, START, &echo());
        assert_eq!(code(&answer), expected, "{part}");
        assert!(text(&answer).starts_with("app echo cannot start: "), "{}", text(&answer));
        assert!(text(&answer).contains(part), "{}", text(&answer));
        assert!(lab.engines.is_empty() && lab.log_says(part));
    }
}

#[test]
fn names_that_cannot_be_are_refused_before_anything_is_read() {
    let (mut lab, node) = lab();
    let name = "x".repeat(100);
    let rows: [(&str, &str, (u64, u64)); 5] = [
        ("../echo", "default", (12, 22)),
        ("", "default", (12, 22)),
        ("echo", "../default", (12, 22)),
        (&name, "default", (20_991, 8)),
        ("storage", "default", (20_991, 8)),
    ];
    for (channel, (app, profile, expected)) in (1..).zip(rows) {
        lab.hold_stores = true;
        let answer = lab.ask(node, channel, START, &[app.into(), profile.into()]);
        assert_eq!(code(&answer), expected, "{app} {profile}");
        assert!(lab.stores.is_empty());
    }
}

#[test]
fn engine_defect_40_an_app_named_like_a_service_leaves_the_service_alone() {
    let mut lab = Lab::serving();
    lab.store_app("storage");
    let (node, locator) = (lab.client(ServiceKind::Node), lab.client(ServiceKind::Locator));
    let answer = lab.ask(node, 1, START, &["storage".into(), "default".into()]);
    assert_eq!(code(&answer), (20_991, 8));
    assert_eq!(text(&answer), "\"storage\" cannot be an app's name: the node has a service of this name");
    assert_eq!(lab.ask(locator, 1, 0, &["storage".into()]).1, 0);
    assert_eq!(code(&lab.ask(node, 2, PAUSE, &["storage".into()])), (20_991, 6));
    assert_eq!(lab.ask(locator, 2, 0, &["storage".into()]).1, 0);
    assert_eq!(names(&mut lab, node, 3), Vec::<String>::new());
}

#[test]
fn services_defect_33_a_failed_start_does_not_block_the_next_one() {
    let (mut lab, node) = lab();
    lab.stored.remove(&("profiles".to_owned(), "default".to_owned()));
    assert_eq!(code(&lab.ask(node, 1, START, &echo())), (12, 2));
    assert_eq!(names(&mut lab, node, 2), Vec::<String>::new());
    let report = info(&mut lab, node, 3);
    assert_eq!(report.get("state").unwrap().as_str(), Some("broken"));
    assert_eq!(report.get("error"), Some(&Value::Uint(2)));
    assert!(report.get("cause").unwrap().as_str().unwrap().contains("profiles/default"));
    lab.store_app("echo");
    lab.call(node, 4, START, &echo());
    lab.engine_starts(1);
    assert_eq!(lab.frames(node), [done(4)]);
}

#[test]
fn engine_defect_23_an_app_that_broke_down_can_be_started_again() {
    let (mut lab, node) = running();
    let failure = Failure::new(codes::PUBLISH_FAILED, "the socket is gone");
    lab.engine_says(1, EngineNotice::Broken { failure });
    assert_eq!(names(&mut lab, node, 2), Vec::<String>::new());
    assert!(info(&mut lab, node, 3).get("cause").unwrap().as_str().unwrap().contains("the socket is gone"));
    lab.call(node, 4, START, &echo());
    lab.engine_starts(2);
    assert_eq!(lab.frames(node), [done(4)]);
}

#[test]
fn an_engine_that_breaks_while_it_starts_fails_the_start() {
    let (mut lab, node) = lab();
    lab.call(node, 1, START, &echo());
    let failure = Failure::new(codes::PUBLISH_FAILED, "cannot listen");
    lab.engine_says(1, EngineNotice::Broken { failure });
    assert_eq!(lab.frames(node)[0].2, error(20_991, 8, "app echo cannot start: cannot listen"));
    assert_eq!(names(&mut lab, node, 2), Vec::<String>::new());
    assert_eq!(lab.ask(node, 3, PAUSE, &["echo".into()]), done(3), "the failure is forgotten");
    assert_eq!(code(&lab.ask(node, 4, INFO, &["echo".into()])), (12, 22));
}

#[test]
fn services_defect_32_pause_answers_when_the_last_process_is_gone_and_not_before() {
    let (mut lab, node) = running();
    lab.call(node, 2, PAUSE, &["echo".into()]);
    assert_eq!(lab.told(), [(1, EngineCommand::Stop)]);
    let start = lab.ask(node, 3, START, &echo());
    assert_eq!((code(&start), text(&start).ends_with("it is stopping")), ((20_991, 5), true));
    lab.call(node, 4, PAUSE, &["echo".into()]);
    assert_eq!((lab.told(), lab.frames(node)), (vec![], vec![]), "waits for the same end");
    lab.engine_says(1, EngineNotice::Stopped);
    assert_eq!(lab.frames(node), [done(2), done(4)]);
    lab.call(node, 5, START, &echo());
    lab.engine_starts(2);
    assert_eq!(lab.frames(node), [done(5)]);
}

#[test]
fn engine_defect_38_a_pause_holds_up_no_other_app() {
    let (mut lab, node) = running();
    lab.store_app("other");
    lab.call(node, 2, PAUSE, &["echo".into()]);
    lab.call(node, 3, START, &["other".into(), "default".into()]);
    lab.engine_starts(2);
    assert_eq!(lab.frames(node), [done(3)], "while echo is still stopping");
    assert_eq!(names(&mut lab, node, 4), ["echo", "other"]);
    lab.engine_says(1, EngineNotice::Stopped);
    assert_eq!(lab.frames(node), [done(2)]);
    assert_eq!(names(&mut lab, node, 5), ["other"]);
}

#[test]
fn pausing_what_does_not_run() {
    let (mut lab, node) = lab();
    let answer = lab.ask(node, 1, PAUSE, &["echo".into()]);
    assert_eq!(answer.2, error(20_991, 6, "application \"echo\" is not running: there is no such app"));
}

#[test]
fn a_pause_while_documents_are_read_ends_the_start() {
    let (mut lab, node) = lab();
    lab.hold_stores = true;
    lab.call(node, 1, START, &echo());
    lab.call(node, 2, PAUSE, &["echo".into()]);
    assert_eq!(lab.frames(node), []);
    lab.answer_stores();
    let frames = lab.frames(node);
    assert_eq!((code(&frames[0]), &frames[1]), ((12, 32), &done(2)));
    assert!(lab.engines.is_empty() && lab.stores.is_empty());
    assert_eq!(names(&mut lab, node, 3), Vec::<String>::new());
}

#[test]
fn a_pause_while_the_engine_starts_stops_it() {
    let (mut lab, node) = lab();
    lab.call(node, 1, START, &echo());
    lab.call(node, 2, PAUSE, &["echo".into()]);
    assert_eq!(lab.told(), [(1, EngineCommand::Stop)]);
    let frames = lab.frames(node);
    assert_eq!((frames.len(), frames[0].0, code(&frames[0])), (1, 1, (12, 32)));
    lab.engine_says(1, EngineNotice::Started);
    assert_eq!(lab.frames(node), [], "too late");
    lab.engine_says(1, EngineNotice::Stopped);
    assert_eq!(lab.frames(node), [done(2)]);
}

#[test]
fn what_was_begun_is_finished_when_its_caller_leaves() {
    let (mut lab, node) = lab();
    lab.hold_stores = true;
    lab.call(node, 1, START, &echo());
    lab.hang_up(node);
    lab.hold_stores = false;
    lab.answer_stores();
    lab.engine_starts(1);
    let node = lab.client(ServiceKind::Node);
    assert_eq!(names(&mut lab, node, 1), ["echo"]);
    lab.call(node, 2, PAUSE, &["echo".into()]);
    lab.hang_up(node);
    lab.engine_says(1, EngineNotice::Stopped);
    let node = lab.client(ServiceKind::Node);
    assert_eq!(names(&mut lab, node, 1), Vec::<String>::new());
}

#[test]
fn services_defect_38_every_start_reads_and_deploys_anew() {
    let (mut lab, node) = running();
    lab.call(node, 2, PAUSE, &["echo".into()]);
    lab.engine_says(1, EngineNotice::Stopped);
    lab.put("manifests", "echo", &Value::map([("slave", Value::from("newer.py"))]));
    lab.put("apps", "echo", &Value::from("a newer archive"));
    lab.call(node, 3, START, &echo());
    let config = lab.engines.values().last().unwrap();
    assert_eq!(config.manifest.executable(), "newer.py");
    assert_eq!(config.socket, "/run/node/echo.2", "nobody of the earlier start finds it");
    let LaunchRequest::Unpack { archive, .. } = &lab.launches[1].1 else { panic!("unpacked") };
    assert_eq!(archive, "a newer archive");
}

#[test]
fn engine_defect_39_a_restart_takes_the_new_profile() {
    let (mut lab, node) = running();
    lab.call(node, 2, PAUSE, &["echo".into()]);
    lab.engine_says(1, EngineNotice::Stopped);
    let spool = Value::map([("args", Value::map([("spool", Value::from("/elsewhere"))]))]);
    lab.put("profiles", "large", &Value::map([("pool-limit", Value::Uint(40)), ("isolate", spool)]));
    lab.call(node, 3, START, &["echo".into(), "large".into()]);
    let config = lab.engines.values().last().unwrap();
    assert_eq!((config.profile.pool_limit(), &*config.profile_name), (40, "large"));
    let LaunchRequest::Unpack { spool, .. } = &lab.launches[1].1 else { panic!("unpacked") };
    assert_eq!(spool.as_deref(), Some("/elsewhere"));
}

#[test]
fn odd_documents_are_warned_about_and_used() {
    let (mut lab, node) = lab();
    let entries = [("slave", Value::from("worker.py")), ("slaves", Value::Nil)];
    lab.put("manifests", "echo", &Value::map(entries));
    lab.call(node, 1, START, &echo());
    assert!(lab.log_says("manifests/echo: slaves is not a known key"));
    assert_eq!(lab.engines.len(), 1);
}

#[test]
fn info_is_the_engines_report() {
    let (mut lab, node) = running();
    lab.call(node, 2, INFO, &["echo".into(), Value::Uint(7)]);
    lab.call(node, 3, INFO, &["echo".into()]);
    let told = lab.told();
    let [
        (1, EngineCommand::Info { query: first, flags: 7 }),
        (1, EngineCommand::Info { query: second, flags: 0 }),
    ] = told[..]
    else {
        panic!("{told:?}")
    };
    // Answers may come in any order.
    lab.engine_says(1, EngineNotice::Info { query: second, report: Value::map([("state", "brief")]) });
    lab.engine_says(1, EngineNotice::Info { query: first, report: Value::map([("state", "full")]) });
    let answers: Vec<(u64, Value)> = lab
        .frames(node)
        .into_iter()
        .map(|(channel, _, args)| (channel, args.as_array().unwrap()[0].clone()))
        .collect();
    assert_eq!(answers[0], (3, Value::map([("state", "brief")])));
    assert_eq!(answers[1], (2, Value::map([("state", "full")])));
}

#[test]
fn info_of_an_app_without_an_engine_is_short() {
    let (mut lab, node) = lab();
    assert_eq!(lab.ask(node, 1, INFO, &["echo".into()]).2, error(12, 22, "there is no app \"echo\""));
    lab.hold_stores = true;
    lab.call(node, 2, START, &echo());
    assert_eq!(info(&mut lab, node, 3), Value::map([("state", "spooling")]));
}

#[test]
fn engine_defect_30_an_engine_that_takes_its_time_for_a_report_holds_up_nobody() {
    let (mut lab, node) = running();
    lab.store_app("other");
    lab.call(node, 2, INFO, &["echo".into()]);
    assert_eq!(names(&mut lab, node, 3), ["echo"]);
    lab.call(node, 4, START, &["other".into(), "default".into()]);
    lab.engine_starts(2);
    assert_eq!(lab.frames(node), [done(4)], "on the same connection");
    lab.engine_says(1, EngineNotice::Stopped);
    assert_eq!(code(&lab.frames(node)[0]), (12, 32), "and the report is not waited for in vain");
}

#[test]
fn whoever_waits_for_a_report_is_told_when_the_engine_ends() {
    let (mut lab, node) = running();
    lab.call(node, 2, INFO, &["echo".into()]);
    lab.command(NodeCommand::EngineGone { engine: crate::machine::EngineId::new(1) });
    assert_eq!(code(&lab.frames(node)[0]), (12, 32));
}

#[test]
fn local_apps_run_in_place_and_hide_stored_ones() {
    let mut lab = Lab::with(|config| drop(config.add_local_app("echo", "/src/echo").unwrap()));
    lab.store_app("echo");
    lab.launch = local(None);
    lab.command(NodeCommand::Start);
    let LaunchRequest::InPlace { app, directory } = &lab.launches[0].1 else { panic!("in place") };
    assert_eq!((&**app, &**directory), ("echo", "/src/echo"));
    let config = &lab.engines.values().next().unwrap();
    assert_eq!((&*config.directory, config.manifest.executable()), ("/src/echo", "local.py"));
    assert_eq!(config.profile.pool_limit(), 4, "the stored profile `default`");
}

#[test]
fn a_local_app_needs_no_stored_profile_and_may_bring_its_own() {
    let mut lab = Lab::with(|config| drop(config.add_local_app("echo", "/src/echo").unwrap()));
    lab.launch = local(None);
    lab.command(NodeCommand::Start);
    let config = lab.engines.values().next().unwrap();
    assert_eq!((config.profile.pool_limit(), &*config.profile_name), (10, "default"));

    let mut lab = Lab::with(|config| drop(config.add_local_app("echo", "/src/echo").unwrap()));
    lab.launch = local(Some(7));
    lab.hold_stores = true;
    lab.command(NodeCommand::Start);
    assert_eq!(lab.engines.values().next().unwrap().profile.pool_limit(), 7);
    assert!(lab.stores.is_empty(), "no storage was asked");
    lab.hold_stores = false;

    let node = lab.client(ServiceKind::Node);
    lab.engine_starts(1);
    lab.call(node, 1, PAUSE, &["echo".into()]);
    lab.engine_says(1, EngineNotice::Stopped);
    lab.frames(node);
    lab.launch = local(None);
    let answer = lab.ask(node, 2, START, &["echo".into(), "special".into()]);
    assert_eq!(code(&answer), (12, 2), "only the default is built in");
    lab.launch = Err(LaunchError { errno: 2, text: "no /src/echo/manifest.json".into() });
    assert_eq!(code(&lab.ask(node, 3, START, &["echo".into(), "".into()])), (12, 2));
}

fn local(pool_limit: Option<u64>) -> Result<crate::machine::Launched, LaunchError> {
    let document = |source: &str, key: &str, value: Value| {
        let value = Value::map([(key, value)]);
        Box::new(crate::machine::Document { source: source.into(), value, positions: Default::default() })
    };
    Ok(crate::machine::Launched {
        directory: "/src/echo".into(),
        manifest: Some(document("manifest.json", "slave", "local.py".into())),
        profile: pool_limit.map(|limit| document("profile.json", "pool-limit", Value::Uint(limit))),
    })
}
