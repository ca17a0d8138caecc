//! Tests of the order of jobs.

use super::*;

type Names = Queue<&'static str, &'static str, &'static str>;

/// Calls `next` until it returns `None`. Returns the steps as texts, and the numbers of the writes that have begun.
fn work(queue: &Names) -> (Vec<String>, Vec<WriteNumber>) {
    let (mut steps, mut numbers) = (Vec::new(), Vec::new());
    assert!(queue.claim(), "the claim is free");
    while let Some(next) = queue.next() {
        assert!(!queue.claim(), "one caller at a time");
        steps.push(match next {
            Action::Answer(answer) => format!("answer {answer}"),
            Action::Alone(job) => format!("run {job}"),
            Action::Overlapping(job) => format!("start {job}"),
            Action::Write(write, number) => {
                numbers.push(number);
                format!("begin {write}")
            }
        });
    }
    (steps, numbers)
}

fn open() -> Names {
    let queue = Names::default();
    queue.open("first");
    queue
}

#[test]
fn jobs_wait_until_the_queue_is_opened_and_run_after_the_first() {
    let queue = Names::default();
    queue.push(Job::Alone("a"));
    assert!(!queue.claim());
    queue.open("first");
    assert_eq!(work(&queue).0, ["run first", "run a"]);
}

#[test]
fn writes_begin_at_once_and_a_job_that_runs_alone_waits_for_their_answers() {
    let queue = open();
    for job in [Job::Write("a"), Job::Write("b"), Job::Alone("c"), Job::Write("d")] {
        queue.push(job);
    }
    let (steps, numbers) = work(&queue);
    assert_eq!(steps, ["run first", "begin a", "begin b"]);
    queue.set_answer(numbers[0], "a");
    assert_eq!(work(&queue).0, ["answer a"]);
    queue.set_answer(numbers[1], "b");
    assert_eq!(work(&queue).0, ["answer b", "run c", "begin d"]);
}

#[test]
fn answers_are_given_in_the_order_of_their_writes() {
    let queue = open();
    for name in ["a", "b", "c"] {
        queue.push(Job::Write(name));
    }
    let (_, numbers) = work(&queue);
    queue.set_answer(numbers[2], "c");
    queue.set_answer(numbers[1], "b");
    assert_eq!(work(&queue).0, [""; 0]);
    queue.set_answer(numbers[0], "a");
    assert_eq!(work(&queue).0, ["answer a", "answer b", "answer c"]);
}

#[test]
fn the_last_job_runs_after_all_jobs_that_were_added_before_and_none_run_after_it() {
    let queue = open();
    queue.push(Job::Write("a"));
    let (_, numbers) = work(&queue);
    queue.close("last");
    queue.close("once more");
    queue.push(Job::Alone("b"));
    assert_eq!(work(&queue).0, [""; 0]);
    queue.set_answer(numbers[0], "a");
    assert_eq!(work(&queue).0, ["answer a", "run b", "run last"]);
    queue.push(Job::Alone("c"));
    assert_eq!(work(&queue).0, [""; 0]);
}

#[test]
fn a_queue_that_is_closed_before_it_is_opened_runs_the_waiting_jobs() {
    let queue = Names::default();
    queue.push(Job::Alone("a"));
    queue.close("last");
    queue.open("first");
    assert_eq!(work(&queue).0, ["run first", "run a", "run last"]);
}

#[test]
fn events_are_counted_until_they_are_answered() {
    let queue = open();
    assert_eq!(
        [queue.enter(2), queue.enter(2), queue.enter(2)],
        [EnterResult::Counted, EnterResult::Counted, EnterResult::Full]
    );
    queue.leave();
    assert_eq!(queue.enter(2), EnterResult::Counted);
    queue.close("last");
    assert_eq!(queue.enter(usize::MAX), EnterResult::Closed);
}

#[test]
fn overlapping_jobs_run_at_the_same_time_up_to_a_number_and_others_wait_for_them() {
    let queue = Names::default();
    queue.set_overlapping_max(2);
    queue.open("first");
    for job in [Job::Overlapping("a"), Job::Overlapping("b"), Job::Overlapping("c"), Job::Alone("d")] {
        queue.push(job);
    }
    assert_eq!(work(&queue).0, ["run first", "start a", "start b"]);
    queue.push_next(Job::Overlapping("before c"));
    queue.end_overlapping();
    assert_eq!(work(&queue).0, ["start before c"]);
    queue.end_overlapping();
    assert_eq!(work(&queue).0, ["start c"]);
    queue.close("last");
    queue.end_overlapping();
    assert!(work(&queue).0.is_empty());
    queue.end_overlapping();
    assert_eq!(work(&queue).0, ["run d", "run last"]);
}

#[test]
fn an_overlapping_job_waits_for_writes_and_a_write_does_not_wait_for_it() {
    let queue = open();
    for job in [Job::Overlapping("a"), Job::Write("b"), Job::Overlapping("c")] {
        queue.push(job);
    }
    queue.close("last");
    let (steps, numbers) = work(&queue);
    assert_eq!(steps, ["run first", "start a", "begin b"]);
    queue.set_answer(numbers[0], "b");
    assert_eq!(work(&queue).0, ["answer b"]);
    queue.end_overlapping();
    assert_eq!(work(&queue).0, ["start c"]);
    queue.end_overlapping();
    assert_eq!(work(&queue).0, ["run last"]);
}
