//! Rules, defaults and mappings of the three documents.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::machine::Document;
use crate::wire::Value;

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

fn document(source: &str, value: Value) -> Document {
    Document { source: source.into(), value, positions: BTreeMap::new() }
}

fn profile(entries: &[(&str, Value)]) -> Result<Checked<Profile>, String> {
    Profile::read(&document("profiles/default", map(entries))).map_err(|error| error.to_string())
}

fn good(entries: &[(&str, Value)]) -> Profile {
    let checked = profile(entries).unwrap();
    assert_eq!(checked.warnings, []);
    checked.value
}

fn uint(number: u64) -> Value {
    Value::Uint(number)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn warnings<T>(checked: &Checked<T>) -> Vec<String> {
    checked.warnings.iter().map(ToString::to_string).collect()
}

// ---- profile ----

#[test]
fn an_empty_profile_has_every_default() {
    let profile = good(&[]);
    assert_eq!(profile, Profile::default());
    assert_eq!((profile.concurrency(), profile.pool_limit(), profile.min_pool()), (10, 10, 0));
    assert_eq!((profile.queue_room(7), profile.grow_threshold(), profile.starting_limit()), (100, 5, 4));
    assert_eq!((profile.crashlog_limit(), profile.publish_on(), profile.unpublish_under()), (50, 0, 0));
    let times = profile.timeouts();
    assert_eq!(
        [times.startup, times.heartbeat, times.seal, times.stop],
        [secs(10), secs(30), secs(60), secs(5)]
    );
    assert_eq!([times.terminate, times.kill, times.request], [secs(10), secs(5), secs(86_400)]);
    assert_eq!(times.idle, Some(secs(600)));
}

#[test]
fn the_start_is_limited_in_either_generations_keys() {
    let startup = |entries: &[(&str, Value)]| good(entries).timeouts().startup;
    assert_eq!(startup(&[("spawn-timeout", uint(2)), ("handshake-timeout", uint(3))]), secs(5));
    assert_eq!(startup(&[("spawn-timeout", uint(2))]), secs(7));
    assert_eq!(startup(&[("handshake-timeout", uint(2))]), secs(3));
    assert_eq!(startup(&[("startup-timeout", uint(4)), ("spawn-timeout", uint(2))]), secs(4));
    let none = [("spawn-timeout", uint(0)), ("handshake-timeout", Value::Float(0.0))];
    assert!(profile(&none).unwrap_err().contains("no worker could start"));
}

#[test]
fn the_newer_spelling_of_the_terminate_timeout_wins() {
    let terminate = |entries: &[(&str, Value)]| good(entries).timeouts().terminate;
    assert_eq!(terminate(&[("termination-timeout", uint(7))]), secs(7));
    assert_eq!(terminate(&[("termination-timeout", uint(7)), ("terminate-timeout", uint(3))]), secs(3));
}

#[test]
fn the_kill_timeout_has_two_places() {
    let isolate = |seconds| ("isolate", map(&[("args", map(&[("kill_timeout", uint(seconds))]))]));
    assert_eq!(good(&[isolate(9)]).timeouts().kill, secs(9));
    assert_eq!(good(&[isolate(9), ("kill-timeout", uint(2))]).timeouts().kill, secs(2));
}

#[test]
fn times_are_seconds_with_fractions() {
    assert_eq!(good(&[("seal-timeout", Value::Float(0.25))]).timeouts().seal, Duration::from_millis(250));
    assert_eq!(good(&[("idle-timeout", uint(0))]).timeouts().idle, None);
    assert_eq!(good(&[("terminate-timeout", uint(0))]).timeouts().terminate, Duration::ZERO);
}

#[test]
fn times_that_are_none_are_refused() {
    let finite = "must be a finite number of seconds, 0 or more";
    let rows = [
        ("heartbeat-timeout", uint(0), "is 0: must be more than 0 seconds"),
        ("startup-timeout", Value::Float(0.0), "is 0.0: must be more than 0 seconds"),
        ("request-timeout", Value::Float(1e-9), "is 1e-9: must be more than 0 seconds"),
        ("seal-timeout", Value::Int(-1), &alloc::format!("is -1: {finite}")),
        ("kill-timeout", Value::Float(-0.5), &alloc::format!("is -0.5: {finite}")),
        ("stop-timeout", Value::Float(f64::NAN), &alloc::format!("is NaN: {finite}")),
        ("idle-timeout", Value::Float(f64::INFINITY), &alloc::format!("is inf: {finite}")),
        ("seal-timeout", "60".into(), &alloc::format!("is \"60\": {finite}")),
        ("seal-timeout", uint(u64::MAX), "is 18446744073709551615: must be at most 10000000000 seconds"),
    ];
    for (key, value, text) in rows {
        assert_eq!(profile(&[(key, value)]).unwrap_err(), alloc::format!("profiles/default: {key} {text}"));
    }
}

#[test]
fn engine_defect_31_zero_limits_are_refused() {
    for key in ["pool-limit", "concurrency", "grow-threshold", "starting-limit"] {
        let error = profile(&[(key, uint(0))]).unwrap_err();
        assert_eq!(error, alloc::format!("profiles/default: {key} is 0: must be at least 1"));
        let error = profile(&[(key, Value::Int(-3))]).unwrap_err();
        assert_eq!(error, alloc::format!("profiles/default: {key} is -3: must be at least 1"));
    }
    // The default of the threshold divides by the pool's limit, and must not be zero either.
    assert_eq!(good(&[("queue-limit", uint(3))]).grow_threshold(), 1);
    assert_eq!(good(&[("queue-limit", uint(0))]).grow_threshold(), 1);
}

#[test]
fn engine_defect_35_vacancy_never_wraps() {
    let profile = good(&[("queue-limit", uint(0)), ("pool-limit", uint(2)), ("concurrency", uint(3))]);
    assert_eq!([0, 4, 6, 7, usize::MAX].map(|load| profile.queue_room(load)), [6, 2, 0, 0, 0]);
    let huge = u64::from(u32::MAX);
    let profile = good(&[("queue-limit", uint(0)), ("pool-limit", uint(huge)), ("concurrency", uint(huge))]);
    assert!(profile.queue_room(0) > 0);
}

#[test]
fn a_queue_that_is_called_unlimited_is_bounded_all_the_same() {
    let open = good(&[("queue-limit", uint(0)), ("queue-limit-zero", "unlimited".into())]);
    assert_eq!(open.queue_room(0), OPEN_QUEUE_LIMIT);
    let limited = good(&[("queue-limit", uint(3)), ("queue-limit-zero", "unlimited".into())]);
    assert_eq!(limited.queue_room(0), 3);
    let error = profile(&[("queue-limit-zero", "none".into())]).unwrap_err();
    assert_eq!(error, "profiles/default: queue-limit-zero is \"none\": must be vacancy or unlimited");
}

#[test]
fn publish_thresholds_fit_each_other_and_the_pool() {
    let fits = good(&[("publish-on", uint(3)), ("unpublish-under", uint(2))]);
    assert_eq!((fits.publish_on(), fits.unpublish_under()), (3, 2));
    assert_eq!(
        profile(&[("publish-on", uint(11))]).unwrap_err(),
        "profiles/default: publish-on is 11: must be at most pool-limit, which is 10"
    );
    assert_eq!(
        profile(&[("publish-on", uint(1)), ("unpublish-under", uint(2))]).unwrap_err(),
        "profiles/default: unpublish-under is 2: must be at most publish-on, which is 1"
    );
    assert!(profile(&[("min-pool", uint(11))]).is_err());
}

#[test]
fn engine_defect_24_an_unpublished_app_wants_the_workers_that_publish_it() {
    let profile = good(&[("publish-on", uint(3)), ("unpublish-under", uint(2)), ("min-pool", uint(1))]);
    assert_eq!((profile.floor(false), profile.floor(true)), (3, 2));
}

#[test]
fn unknown_keys_are_named_with_their_place() {
    let mut document =
        document("default.json", map(&[("pool-limit", uint(0)), ("spawn-threshold", uint(1))]));
    document.positions.insert("pool-limit".into(), (3, 17));
    assert_eq!(
        Profile::read(&document).unwrap_err().to_string(),
        "default.json:3:17: pool-limit is 0: must be at least 1"
    );
    let odd = profile(&[
        ("spawn-threshold", uint(1)),
        ("isolate", map(&[("args", map(&[("cpu", map(&[("cpu.shares", uint(512))]))]))])),
    ]);
    assert_eq!(
        warnings(&odd.unwrap()),
        [
            "profiles/default: isolate.args.cpu is not a known key and is ignored",
            "profiles/default: spawn-threshold is not a known key and is ignored"
        ]
    );
}

#[test]
fn crash_logs_are_cut_with_a_warning() {
    let checked = profile(&[("crashlog-limit", uint(1_000_000))]).unwrap();
    assert_eq!(checked.value.crashlog_limit(), CRASHLOG_LIMIT);
    assert_eq!(
        warnings(&checked),
        ["profiles/default: crashlog-limit is 1000000: only 10000 lines are kept"]
    );
}

fn isolate(args: &[(&str, Value)]) -> Result<Profile, String> {
    profile(&[("isolate", map(&[("type", "process".into()), ("args", map(args))]))])
        .map(|checked| checked.value)
}

#[test]
fn the_isolate_takes_limits_and_ids() {
    let limits = map(&[
        ("nofile", uint(100)),
        ("as", Value::Array(vec![uint(1), "unlimited".into()])),
        ("core", "unlimited".into()),
    ]);
    let args = [("spool", "/srv/spool".into()), ("rlimits", limits), ("uid", uint(5)), ("gid", uint(6))];
    let isolate = isolate(&args).unwrap();
    assert_eq!((isolate.spool(), isolate.identity()), (Some("/srv/spool"), Some((5, 6))));
    let limits: Vec<_> = isolate.limits().clone().into_iter().collect();
    let expected = [("as", (1, UNLIMITED)), ("core", (UNLIMITED, UNLIMITED)), ("nofile", (100, 100))];
    assert_eq!(limits, expected.map(|(name, limit)| (name.to_string(), limit)));
}

#[test]
fn what_an_isolate_cannot_do_is_said() {
    let limit = |name: &str, value: Value| isolate(&[("rlimits", map(&[(name, value)]))]).unwrap_err();
    let backwards = Value::Array(vec![uint(2), uint(1)]);
    assert!(limit("nofile", backwards).starts_with(
        "profiles/default: isolate.args.rlimits.nofile is a list of 2: must be a number, or unlimited"
    ));
    assert!(
        limit("files", uint(1)).contains("isolate.args.rlimits.files is not a resource; there are as, core,")
    );
    assert!(isolate(&[("uid", uint(5))]).unwrap_err().contains("isolate.args.gid is missing"));
    assert!(isolate(&[("uid", uint(u64::from(u32::MAX))), ("gid", uint(0))]).is_err());
    for kind in ["docker", "porto", "external"] {
        let error = profile(&[("isolate", map(&[("type", kind.into())]))]).unwrap_err();
        let text = "must be process: other isolates are not available on this node";
        assert_eq!(error, alloc::format!("profiles/default: isolate.type is \"{kind}\": {text}"));
    }
    assert!(profile(&[("isolate", map(&[("type", "legacy_process".into())]))]).is_ok());
}

#[test]
fn a_profile_survives_being_written_and_read() {
    let limits = map(&[("nofile", Value::Array(vec![uint(1), uint(2)]))]);
    let args = map(&[("spool", "/s".into()), ("rlimits", limits), ("uid", uint(1)), ("gid", uint(2))]);
    let full = [
        ("log-output", true.into()),
        ("idle-timeout", uint(0)),
        ("seal-timeout", Value::Float(1.5)),
        ("queue-limit", uint(0)),
        ("queue-limit-zero", "unlimited".into()),
        ("growth", "demand".into()),
        ("publish-on", uint(2)),
        ("isolate", map(&[("args", args)])),
    ];
    for entries in [&full[..], &[]] {
        let profile = good(entries);
        let again = Profile::read(&document("again", profile.to_value())).unwrap();
        assert_eq!((again.value, again.warnings), (profile, vec![]));
    }
}

#[test]
fn a_document_must_be_a_map_and_of_repeated_keys_the_last_counts() {
    let error = Profile::read(&document("p", uint(3))).unwrap_err().to_string();
    assert_eq!(error, "p: the document is 3: must be a map");
    assert_eq!(good(&[("concurrency", uint(1)), ("concurrency", uint(2))]).concurrency(), 2);
    assert_eq!(good(&[("concurrency", Value::Nil)]).concurrency(), 10);
    assert!(profile(&[("isolate", uint(1))]).unwrap_err().contains("isolate is 1: must be a map"));
}

// ---- manifest ----

fn manifest(entries: &[(&str, Value)]) -> Result<Checked<Manifest>, String> {
    Manifest::read(&document("manifests/echo", map(entries))).map_err(|error| error.to_string())
}

#[test]
fn a_manifest_needs_something_to_run() {
    assert_eq!(
        manifest(&[]).unwrap_err(),
        "manifests/echo: slave is missing: runnable object has not been specified"
    );
    assert!(manifest(&[("slave", "".into())]).is_err());
    assert!(manifest(&[("slave", "a\0b".into())]).is_err());
    assert!(manifest(&[("slave", uint(1))]).unwrap_err().contains("slave is 1: must be a string"));
    let echo = manifest(&[("slave", "bin/echo".into())]).unwrap();
    assert_eq!((echo.value.executable(), echo.value.protocol()), ("bin/echo", Protocol::V1));
    assert_eq!(echo.warnings, []);
}

#[test]
fn the_protocol_is_0_or_1() {
    let of = |value| manifest(&[("slave", "x".into()), ("protocol", value)]);
    assert_eq!(of(uint(0)).unwrap().value.protocol(), Protocol::V0);
    assert_eq!(of(uint(1)).unwrap().value.protocol(), Protocol::V1);
    assert_eq!(of(uint(2)).unwrap_err(), "manifests/echo: protocol is 2: must be at most 1");
}

#[test]
fn the_environment_is_strings_that_the_system_can_pass_on() {
    let of =
        |name: &str, value: Value| manifest(&[("slave", "x".into()), ("environment", map(&[(name, value)]))]);
    assert_eq!(of("A", "b=c".into()).unwrap().value.environment()["A"], "b=c");
    let error = of("A", uint(1)).unwrap_err();
    let rule = "environment should be a map of string -> string";
    assert_eq!(error, alloc::format!("manifests/echo: environment.A is 1: {rule}"));
    for name in ["", "A=B", "A\0"] {
        assert!(of(name, "x".into()).is_err(), "{name:?}");
    }
    assert!(of("A", "\0".into()).is_err());
}

#[test]
fn keys_of_the_older_generation_are_accepted_with_a_warning() {
    let drivers = map(&[("clock", map(&[("type", "time".into())]))]);
    let old = manifest(&[("slave", "x".into()), ("drivers", drivers), ("local", true.into())]).unwrap();
    let texts = warnings(&old);
    assert!(texts[0].starts_with("manifests/echo: drivers has no effect"));
    assert!(texts[1].starts_with("manifests/echo: local has no effect"));
    let plain = [("slave", "x".into()), ("drivers", map(&[])), ("local", false.into())];
    assert_eq!(manifest(&plain).unwrap().warnings, []);
}

#[test]
fn a_manifest_survives_being_written_and_read() {
    let entries = [("slave", "x".into()), ("environment", map(&[("A", "b".into())])), ("protocol", uint(0))];
    let manifest = manifest(&entries).unwrap().value;
    let again = Manifest::read(&document("again", manifest.to_value())).unwrap();
    assert_eq!((again.value, again.warnings), (manifest, vec![]));
}

// ---- runlist ----

#[test]
fn a_bad_entry_of_a_runlist_does_not_stop_the_others() {
    let value =
        map(&[("echo", "default".into()), ("a/b", "default".into()), ("x", uint(1)), ("y", "..".into())]);
    let runlist = Runlist::read(&document("runlists/default", value)).unwrap();
    let apps: Vec<_> =
        runlist.value.apps.iter().map(|(app, profile)| (app.as_str(), profile.as_str())).collect();
    assert_eq!(apps, [("echo", "default")]);
    assert_eq!(
        warnings(&runlist),
        [
            "runlists/default: a/b is not started: a name must not contain '/'",
            "runlists/default: x is 1: must be a profile's name; the app is not started",
            "runlists/default: y is not started: its profile \"..\" cannot be: a name must not be \".\" or \"..\"",
        ]
    );
    assert!(Runlist::read(&document("runlists/default", uint(1))).is_err());
}
