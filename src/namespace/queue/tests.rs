//! Tests of the order of jobs.

use super::*;

type Names = Queue<&'static str, &'static str, &'static str>;

/// Calls `next` until it returns `None`. Returns the steps as texts, and the places of the writes that have begun.
fn work(queue: &Names) -> (Vec<String>, Vec<Place>) {
    let (mut steps, mut places) = (Vec::new(), Vec::new());
    assert!(queue.claim(), "the claim is free");
    while let Some(next) = queue.next() {
        assert!(!queue.claim(), "one caller at a time");
        steps.push(match next {
            Next::Answer(answer) => format!("answer {answer}"),
            Next::Alone(job) => format!("run {job}"),
            Next::Write(write, place) => {
                places.push(place);
                format!("begin {write}")
            }
        });
    }
    (steps, places)
}

fn open() -> Names {
    let queue = Names::default();
    queue.open("first");
    queue
}

#[test]
fn jobs_wait_until_the_queue_is_opened_and_come_after_the_first() {
    let queue = Names::default();
    queue.push(Job::Alone("a"));
    assert!(!queue.claim());
    queue.open("first");
    assert_eq!(work(&queue).0, ["run first", "run a"]);
}

#[test]
fn writes_begin_at_once_and_a_job_alone_waits_for_their_answers() {
    let queue = open();
    for job in [Job::Write("a"), Job::Write("b"), Job::Alone("c"), Job::Write("d")] {
        queue.push(job);
    }
    let (steps, places) = work(&queue);
    assert_eq!(steps, ["run first", "begin a", "begin b"]);
    queue.settle(places[0], "a");
    assert_eq!(work(&queue).0, ["answer a"]);
    queue.settle(places[1], "b");
    assert_eq!(work(&queue).0, ["answer b", "run c", "begin d"]);
}

#[test]
fn answers_are_given_in_the_order_of_their_writes() {
    let queue = open();
    for name in ["a", "b", "c"] {
        queue.push(Job::Write(name));
    }
    let (_, places) = work(&queue);
    queue.settle(places[2], "c");
    queue.settle(places[1], "b");
    assert_eq!(work(&queue).0, [""; 0]);
    queue.settle(places[0], "a");
    assert_eq!(work(&queue).0, ["answer a", "answer b", "answer c"]);
}

#[test]
fn the_last_job_comes_after_everything_that_was_added_before_and_nothing_comes_after_it() {
    let queue = open();
    queue.push(Job::Write("a"));
    let (_, places) = work(&queue);
    queue.close("last");
    queue.close("once more");
    queue.push(Job::Alone("b"));
    assert_eq!(work(&queue).0, [""; 0]);
    queue.settle(places[0], "a");
    assert_eq!(work(&queue).0, ["answer a", "run b", "run last"]);
    queue.push(Job::Alone("c"));
    assert_eq!(work(&queue).0, [""; 0]);
}

#[test]
fn a_queue_that_is_closed_before_it_is_opened_runs_what_waits() {
    let queue = Names::default();
    queue.push(Job::Alone("a"));
    queue.close("last");
    queue.open("first");
    assert_eq!(work(&queue).0, ["run first", "run a", "run last"]);
}

#[test]
fn events_are_counted_until_they_are_answered() {
    let queue = open();
    assert_eq!([queue.enter(2), queue.enter(2), queue.enter(2)], [Entered::Yes, Entered::Yes, Entered::Full]);
    queue.leave();
    assert_eq!(queue.enter(2), Entered::Yes);
    queue.close("last");
    assert_eq!(queue.enter(usize::MAX), Entered::Closed);
}
