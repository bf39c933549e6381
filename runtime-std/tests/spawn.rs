//! Workers started through the real exec shim, which is this program called with `shim`.
//!
//! Without the usual test harness, since the program must be able to become the shim.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cocaine_core::machine::{IoError, SpawnSpec};
use cocaine_runtime_std::host::process::{
    FileLimit, ShimConfig, prepare, raise_file_limit, shim_error, shim_main,
};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|argument| argument.to_str()) {
        Some("shim") => shim_main(arguments),
        Some("raise") => raise(),
        Some("parent") => parent(arguments.next().is_some_and(|user| user == "other")),
        _ => run_all(),
    }
}

fn run_all() -> ExitCode {
    let tests: &[(&str, fn())] = &[
        ("a_worker_gets_what_the_spec_says", a_worker_gets_what_the_spec_says),
        ("the_manifests_environment_wins_over_ours", the_manifests_environment_wins_over_ours),
        ("a_worker_has_its_own_group_and_no_files_of_ours", a_worker_has_its_own_group_and_no_files_of_ours),
        ("a_relative_executable_is_below_the_directory", a_relative_executable_is_below_the_directory),
        ("engine_defect_08_a_failed_exec_is_told", engine_defect_08_a_failed_exec_is_told),
        (
            "limits_are_set_and_our_own_file_limit_is_restored",
            limits_are_set_and_our_own_file_limit_is_restored,
        ),
        ("our_own_file_limit_is_raised", our_own_file_limit_is_raised),
        ("what_cannot_be_started_is_said_so", what_cannot_be_started_is_said_so),
        ("a_worker_dies_with_its_daemon", a_worker_dies_with_its_daemon),
        ("a_worker_of_another_user", a_worker_of_another_user),
        ("the_shim_refuses_nonsense", the_shim_refuses_nonsense),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!("{} passed, 0 failed", tests.len());
    ExitCode::SUCCESS
}

fn shim() -> ShimConfig {
    let program = std::env::current_exe().unwrap();
    ShimConfig { program, arguments: vec!["shim".into()], file_limit: None }
}

fn script(text: &str) -> SpawnSpec {
    SpawnSpec {
        app: "echo".into(),
        executable: "/bin/sh".into(),
        arguments: vec!["-c".into(), text.into()],
        environment: [].into(),
        directory: "/".into(),
        identity: None,
        limits: [].into(),
    }
}

/// Runs a worker to its end.
fn run_with(spec: &SpawnSpec, shim: &ShimConfig) -> Result<(String, ExitStatus), IoError> {
    let (mut child, mut output, exec_error) =
        prepare(spec, shim)?.spawn().map_err(|error| shim_error(shim, &error))?;
    let result = exec_error.wait();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    let status = child.wait().unwrap();
    result.map(|()| (text, status))
}

fn run(spec: &SpawnSpec) -> String {
    let (text, status) = run_with(spec, &shim()).unwrap();
    assert!(status.success(), "{status}: {text}");
    text
}

fn a_worker_gets_what_the_spec_says() {
    let mut spec = script("pwd; echo \"$0 $1\" >&2; cat; echo end");
    spec.directory = "/usr".into();
    spec.arguments.extend(["--app".into(), "a b".into()]);
    assert_eq!(run(&spec), "/usr\n--app a b\nend\n");
    let status = run_with(&script("exit 7"), &shim()).unwrap().1;
    assert_eq!(status.code(), Some(7));
}

fn the_manifests_environment_wins_over_ours() {
    let home = std::env::var("PATH").unwrap();
    let mut spec = script("env");
    spec.environment = [("HOME".into(), "/of/manifest".into()), ("NEW".into(), "1".into())].into();
    let text = run(&spec);
    let of =
        |name: &str| text.lines().filter(|line| line.starts_with(&format!("{name}="))).collect::<Vec<_>>();
    assert_eq!(of("HOME"), ["HOME=/of/manifest"], "one entry, and the manifest's");
    assert_eq!((of("NEW"), of("PATH")), (vec!["NEW=1"], vec![format!("PATH={home}").as_str()]));
}

fn a_worker_has_its_own_group_and_no_files_of_ours() {
    let text = run(&script("cut -d' ' -f1,5 /proc/$$/stat; readlink /proc/$$/fd/0; ls /proc/$$/fd"));
    let lines: Vec<&str> = text.lines().collect();
    let (pid, group) = lines[0].split_once(' ').unwrap();
    assert_eq!((pid, lines[1]), (group, "/dev/null"));
    // What whoever started us passed on to everybody is not ours.
    let direct = Command::new("sh").args(["-c", "ls /proc/$$/fd"]).output().unwrap();
    assert_eq!(lines[2..], String::from_utf8(direct.stdout).unwrap().lines().collect::<Vec<_>>());
}

fn a_relative_executable_is_below_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/echo", dir.path().join("run")).unwrap();
    let mut spec = script("");
    spec.directory = dir.path().to_str().unwrap().into();
    spec.executable = "./run".into();
    spec.arguments = vec!["hello".into()];
    assert_eq!(run(&spec), "hello\n");
}

fn engine_defect_08_a_failed_exec_is_told() {
    let error = |executable: &str, directory: &str| {
        let mut spec = script("");
        (spec.executable, spec.directory) = (executable.into(), directory.into());
        run_with(&spec, &shim()).unwrap_err()
    };
    let missing = error("no/such/program", "/");
    assert_eq!(
        (missing.errno, missing.text.as_str()),
        (2, "cannot run /no/such/program: no such file or directory")
    );
    assert_eq!(error("/etc/passwd", "/").errno, 13);
    let nowhere = error("/bin/sh", "/no/such/directory");
    assert_eq!(nowhere.errno, 2);
    assert!(nowhere.text.contains("cannot enter directory /no/such/directory: "), "{nowhere}");
}

fn limits_are_set_and_our_own_file_limit_is_restored() {
    let mut shim = shim();
    shim.file_limit = Some(FileLimit { soft: 100, hard: FileLimit::current().hard });
    let mut spec = script("ulimit -Sn; ulimit -Sc; ulimit -Hc");
    spec.limits = [("core".into(), (0, 512))].into();
    assert_eq!(run_with(&spec, &shim).unwrap().0, "100\n0\n1\n");
    spec.limits = [("nofile".into(), (60, 70)), ("core".into(), (u64::MAX, u64::MAX))].into();
    let text = run_with(&spec, &shim).unwrap().0;
    assert_eq!(text, "60\nunlimited\nunlimited\n");
    spec.limits = [("nofile".into(), (70, 60))].into();
    let error = run_with(&spec, &shim).unwrap_err();
    assert_eq!(error.errno, 22);
    assert!(error.text.contains("cannot set limit nofile=70:60: invalid argument"), "{error}");
}

/// Raises the limit, first to 200 and then as far as possible, and says what it was and is.
fn raise() -> ExitCode {
    let before = raise_file_limit(Some(200));
    let between = raise_file_limit(None);
    println!("{} {} {}", before.soft, between.soft, FileLimit::current().soft);
    ExitCode::SUCCESS
}

fn our_own_file_limit_is_raised() {
    let program = std::env::current_exe().unwrap();
    let with_limits = |limits: &str| {
        let script = format!("{limits}; ulimit -Hn 300; exec \"$0\" raise");
        let output = Command::new("sh").arg("-c").arg(script).arg(&program).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(with_limits("ulimit -Sn 64"), "64 200 300\n");
    assert_eq!(with_limits("ulimit -Sn 250"), "250 250 300\n", "a higher limit stays");
}

fn what_cannot_be_started_is_said_so() {
    let mut spec = script("");
    spec.limits = [("luck".into(), (0, 0))].into();
    let error = run_with(&spec, &shim()).unwrap_err();
    assert_eq!((error.errno, error.text.as_str()), (22, "app \"echo\": there is no resource limit \"luck\""));
    let missing = ShimConfig { program: PathBuf::from("/no/shim"), ..shim() };
    let error = run_with(&script(""), &missing).unwrap_err();
    assert_eq!(error.text, "cannot start the exec shim /no/shim: no such file or directory");
}

/// A daemon that starts a worker, says its pid, and dies.
fn parent(other_user: bool) -> ExitCode {
    let mut spec = script("exec sleep 1000");
    spec.identity = other_user.then_some((65_534, 65_534));
    let (child, _output, exec_error) = prepare(&spec, &shim()).unwrap().spawn().unwrap();
    exec_error.wait().unwrap();
    println!("{}", child.id());
    ExitCode::SUCCESS
}

fn starts_and_dies(user: &str) {
    let output = Command::new(std::env::current_exe().unwrap()).args(["parent", user]).output().unwrap();
    let pid = String::from_utf8(output.stdout).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    let alive = || std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z "));
    let deadline = Instant::now() + Duration::from_secs(10);
    while alive() {
        assert!(Instant::now() < deadline, "worker {pid} outlived its daemon");
        std::thread::yield_now();
    }
}

fn a_worker_dies_with_its_daemon() {
    starts_and_dies("same");
}

fn a_worker_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: a_worker_of_another_user: needs root");
        return;
    }
    let mut spec = script("id -u; id -G; grep NoNewPrivs /proc/$$/status; ulimit -Hn; ulimit -Hc");
    spec.identity = Some((65_534, 65_533));
    spec.limits = [("core".into(), (0, 0)), ("nofile".into(), (64, 64))].into();
    assert_eq!(run(&spec), "65534\n65533\nNoNewPrivs:\t1\n64\n0\n");
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    spec.directory = dir.path().to_str().unwrap().into();
    let error = run_with(&spec, &shim()).unwrap_err();
    assert!(error.errno == 13 && error.text.contains("cannot enter directory"), "{error}");
    starts_and_dies("other");
}

fn the_shim_refuses_nonsense() {
    let call = |arguments: &[&str]| -> (Option<i32>, String) {
        let mut child: Child = Command::new(std::env::current_exe().unwrap())
            .arg("shim")
            .args(arguments.iter().map(OsString::from))
            .stdin(Stdio::from(std::fs::File::open(Path::new("/dev/null")).unwrap()))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (child.wait().unwrap().code(), text)
    };
    for arguments in [&[][..], &["--"], &["x", "--", "/bin/true"], &["limit=nofile", "--", "/bin/true"]] {
        let (code, text) = call(arguments);
        assert_eq!(code, Some(127));
        assert!(text.contains("the shim does not understand its arguments"), "{text}");
    }
}
