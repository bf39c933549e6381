//! Tasks on their threads.

use std::collections::BTreeSet;

use super::super::{Panicked, Spread};
use std::sync::mpsc;

#[test]
fn a_panic_is_told_and_concerns_nobody_else() {
    let (told, panics) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let spread = Spread::new(1, move |task, panic| {
        told.lock().unwrap().send((task.to_owned(), panic.to_owned())).unwrap();
    })
    .unwrap();
    let (release, gate) = smol::channel::bounded(1);
    let other = spread.spawn("other", move || async move { gate.recv().await.unwrap() });
    let bad = spread.spawn("bad", || async {
        let nothing: [u8; 0] = [];
        assert_eq!(nothing.len(), 1, "on purpose");
    });
    let outcome = smol::block_on(bad.recv()).unwrap();
    assert!(matches!(&outcome, Err(Panicked { message }) if message.contains("on purpose")));
    assert_eq!(panics.recv().unwrap().0, "bad");
    release.try_send(7).unwrap();
    assert_eq!(smol::block_on(other.recv()).unwrap(), Ok(7));
}

#[test]
fn tasks_take_turns_on_the_threads() {
    let spread = Spread::new(3, |_, _| {}).unwrap();
    let results: Vec<_> = (0..6)
        .map(|_| spread.spawn("id", || async { std::thread::current().name().map(str::to_owned) }))
        .collect();
    let names: BTreeSet<_> =
        results.iter().map(|result| smol::block_on(result.recv()).unwrap().unwrap().unwrap()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["driver-0", "driver-1", "driver-2"]);
}

#[test]
fn a_task_that_never_waits_lets_others_run() {
    let spread = Spread::new(1, |_, _| {}).unwrap();
    let busy = spread.spawn("busy", || async {
        loop {
            smol::future::yield_now().await;
        }
    });
    let other = spread.spawn("other", || async { 1 });
    assert_eq!(smol::block_on(other.recv()).unwrap(), Ok(1));
    drop(spread);
    let _: Result<Result<(), Panicked>, _> = smol::block_on(busy.recv());
}

#[test]
fn dropping_it_drops_the_tasks() {
    struct Flag(mpsc::Sender<()>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let (flag, dropped) = mpsc::channel();
    let (tell, sleeping) = mpsc::channel();
    let spread = Spread::new(2, |_, _| {}).unwrap();
    let task = spread.spawn("sleeper", move || async move {
        let _flag = Flag(flag);
        tell.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    sleeping.recv().unwrap();
    drop(spread);
    dropped.recv().unwrap();
    assert!(smol::block_on(task.recv()).is_err());
}
