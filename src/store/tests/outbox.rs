//! The outbox, over both engines.

use std::time::Duration;

use super::engines::{Engine, TestStore, contract};
use crate::{
    error::{Code, Error},
    model::Timestamp,
    store::{
        Command,
        command::Needs,
        commands::{SettleOwed, TakeOwed},
        failure::Failure,
        tables::{Owed, Settlement, Tables},
    },
};

/// A command that owes something to a target, or is refused.
pub(super) struct Owes {
    pub(super) target: &'static str,
    pub(super) payload: &'static str,
    pub(super) is_refused: bool,
}

impl Command for Owes {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        if self.is_refused {
            return Err(Error::Forbidden("as a rule would".to_owned()).into());
        }
        Ok(tables.owe(self.target, self.payload)?)
    }
}

contract! {
    async fn what_a_commit_owes_is_taken_in_order_by_one_at_a_time(store: TestStore) {
        let take = |target: &str, limit, turn| TakeOwed { target: target.to_owned(), limit, turn };
        let payloads = |owed: &[Owed]| owed.iter().map(|owed| owed.payload.clone()).collect::<Vec<_>>();
        let settle = |owed: &Owed, settlement| SettleOwed { settled: vec![(owed.number, settlement)] };
        let long = Duration::from_secs(600);
        // A refused command owes nothing, and what it shares the commit with does.
        let (first, refused) = (store.queue(Owes { target: "a", payload: "1", is_refused: false }),
            store.queue(Owes { target: "a", payload: "refused", is_refused: true }));
        first.await.unwrap().unwrap();
        assert_eq!(refused.await.unwrap().unwrap_err().code(), Code::Forbidden);
        for (target, payload) in [("a", "2"), ("b", "x"), ("a", "3")] {
            store.write(Owes { target, payload, is_refused: false }).await.unwrap();
        }
        let store = store.reopen().await;
        let taken = store.write(take("a", 2, long)).await.unwrap();
        assert_eq!(payloads(&taken), ["1", "2"]);
        assert!(store.write(take("a", 2, long)).await.unwrap().is_empty(), "it is somebody's turn");
        assert_eq!(payloads(&store.write(take("b", 9, long)).await.unwrap()), ["x"]);
        store.write(Owes { target: "a", payload: "4", is_refused: false }).await.unwrap();
        assert!(store.write(take("a", 2, long)).await.unwrap().is_empty(), "it is still somebody's turn");
        store.write(settle(&taken[0], Settlement::Delivered)).await.unwrap();
        // A failed attempt holds up what is behind it, until its time has come.
        let later = Timestamp::now() + long;
        store.write(settle(&taken[1], Settlement::Retry(later))).await.unwrap();
        assert!(store.write(take("a", 9, long)).await.unwrap().is_empty());
        store.write(settle(&taken[1], Settlement::Retry(Timestamp::from_millis(1)))).await.unwrap();
        let again = store.write(take("a", 2, Duration::ZERO)).await.unwrap();
        assert_eq!((payloads(&again), again[0].attempts), (vec!["2".to_owned(), "3".to_owned()], 2));
        // The turn is over: what was not settled is taken again.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let again = store.write(take("a", 9, Duration::ZERO)).await.unwrap();
        assert_eq!(payloads(&again), ["2", "3", "4"]);
        // What has failed for good holds up nothing.
        tokio::time::sleep(Duration::from_millis(2)).await;
        store.write(settle(&again[0], Settlement::Failed)).await.unwrap();
        assert_eq!(payloads(&store.write(take("a", 9, long)).await.unwrap()), ["3", "4"]);
    }

    async fn two_that_take_at_once_never_get_the_same(store: TestStore) {
        for number in 0..20 {
            let payload: &'static str = Box::leak(number.to_string().into_boxed_str());
            store.write(Owes { target: "a", payload, is_refused: false }).await.unwrap();
        }
        let take = || store.queue(TakeOwed { target: "a".to_owned(), limit: 5, turn: Duration::from_secs(600) });
        let takers: Vec<_> = (0..10).map(|_| take()).collect();
        let mut taken = Vec::new();
        for taker in takers {
            taken.extend(taker.await.unwrap().unwrap().into_iter().map(|owed| owed.payload));
        }
        assert_eq!(taken, ["0", "1", "2", "3", "4"]);
    }
}
