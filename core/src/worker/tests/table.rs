//! Every event in every state, as a text that is kept under review.

use core::fmt::Write;

use super::*;

/// Debug output with moments relative to the start and without the noise.
fn terse(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("Timestamp(") {
        let (before, after) = rest.split_at(at);
        let (number, tail) = after["Timestamp(".len()..].split_once(')').unwrap();
        let micros: u64 = number.parse().unwrap();
        let seconds = Duration::from_micros(micros - T0.as_micros()).as_secs_f64();
        write!(out, "{before}+{seconds}s").unwrap();
        rest = tail;
    }
    out.push_str(rest);
    out.replace("Loss { during: ", "(").replace(", cause: ", ": ").replace(" })", "))")
}

fn row(bench: &mut Bench, event: &Event) -> String {
    let before = bench.worker.state().clone();
    let actions = bench.tell(event.clone());
    let after = bench.worker.state();
    let mut row = String::new();
    if *after == before && actions.is_empty() {
        return row;
    }
    writeln!(row, "  {}", terse(&alloc::format!("{event:?}"))).unwrap();
    for action in &actions {
        writeln!(row, "      ! {}", terse(&alloc::format!("{action:?}"))).unwrap();
    }
    if *after == before {
        writeln!(row, "      = stays").unwrap();
    } else {
        writeln!(row, "      > {}", terse(&alloc::format!("{after:?}"))).unwrap();
    }
    row
}

fn table() -> String {
    let mut table = String::from(
        "Every event in every state. Events that change nothing and ask for nothing are left out.\n\
         !  what is to be done    >  the state after    each event comes 1 s after the start\n\
         Timeout comes at the state's own deadline.\n",
    );
    for (name, path) in states() {
        let state = Bench::after(&path).worker;
        writeln!(
            table,
            "\n{name} [{}]: {}",
            state.state_name(),
            terse(&alloc::format!("{:?}", state.state()))
        )
        .unwrap();
        for event in events() {
            let mut bench = Bench::after(&path);
            let deadline = bench.worker.next_timeout().map_or(T0, |(at, _)| at);
            bench.now = if event == Event::Timeout { deadline } else { T0 + secs(1) };
            table += &row(&mut bench, &event);
        }
    }
    table
}

/// Run with `RECORD=1` to write the table anew; then read the difference.
#[test]
fn every_event_in_every_state() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/worker/table.txt");
    let table = table();
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let recorded = std::fs::read_to_string(path).unwrap();
    for (number, (now, then)) in table.lines().zip(recorded.lines()).enumerate() {
        assert_eq!(now, then, "line {}", number + 1);
    }
    assert_eq!(table.len(), recorded.len());
}

#[test]
fn there_is_a_way_into_every_state_of_the_table() {
    for (name, path) in states() {
        let state = alloc::format!("{:?}", Bench::after(&path).worker.state());
        let word = name.split([' ', ',']).next().unwrap();
        assert!(state.starts_with(word), "{name}: {state}");
    }
}
