use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;

use super::*;

/// Polls a future a single time without a runtime.
fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn holder(shipper: u8, connection: u64) -> Holder {
    Holder { shipper: ShipperId([shipper; 16]), connection }
}

fn budget(total_bytes: usize, share_bytes: usize) -> Budget {
    Budget::new(BudgetLimits { total_bytes, share_bytes })
}

fn now(budget: &Budget, holder: Holder, bytes: usize) -> Option<Lease> {
    match poll_once(pin!(budget.take(holder, bytes))) {
        Poll::Ready(lease) => Some(lease),
        Poll::Pending => None,
    }
}

#[test]
fn what_is_given_back_can_be_had_again() {
    let budget = budget(1000, 1000);
    let lease = now(&budget, holder(1, 1), 1000).unwrap();
    assert_eq!(budget.used_bytes(), 1000);
    assert!(now(&budget, holder(2, 2), 1).is_none());
    drop(lease);
    assert_eq!(budget.used_bytes(), 0);
    assert!(now(&budget, holder(2, 2), 1000).is_some());
}

#[test]
fn a_shipper_has_one_share_on_all_its_connections_and_a_connection_one_for_all_its_shippers() {
    let budget = budget(1000, 100);
    let _first = now(&budget, holder(1, 1), 60).unwrap();
    assert!(now(&budget, holder(1, 2), 60).is_none(), "another connection of the shipper");
    assert!(now(&budget, holder(2, 1), 60).is_none(), "another shipper on the connection");
    assert!(now(&budget, holder(2, 2), 60).is_some());
}

#[test]
fn a_batch_above_the_share_or_the_pool_does_not_wait_for_ever() {
    let budget = budget(1000, 100);
    let above_share = now(&budget, holder(1, 1), 500).unwrap();
    drop(above_share);
    let above_pool = now(&budget, holder(1, 1), 5000).unwrap();
    assert_eq!(budget.used_bytes(), 1000);
    drop(above_pool);
}

#[test]
fn who_holds_least_is_served_first_and_then_who_waits_longest() {
    let budget = budget(1000, 1000);
    let greedy = holder(1, 1);
    let taken: Vec<Lease> = (0..8).map(|_| now(&budget, greedy, 100).unwrap()).collect();
    let other = now(&budget, holder(9, 9), 200).unwrap();
    let (mut again, mut late, mut later) = (
        pin!(budget.take(greedy, 100)),
        pin!(budget.take(holder(2, 2), 100)),
        pin!(budget.take(holder(3, 3), 100)),
    );
    assert!(poll_once(again.as_mut()).is_pending());
    assert!(poll_once(late.as_mut()).is_pending());
    assert!(poll_once(later.as_mut()).is_pending());
    assert!(budget.is_short());
    let mut taken = taken.into_iter();
    drop(taken.next());
    let Poll::Ready(late) = poll_once(late.as_mut()) else { panic!("holds nothing, and is the elder") };
    assert!(poll_once(later.as_mut()).is_pending());
    drop(taken.next());
    let Poll::Ready(_later) = poll_once(later.as_mut()) else { panic!("holds nothing") };
    assert!(poll_once(again.as_mut()).is_pending());
    drop((other, late));
    assert!(poll_once(again.as_mut()).is_ready());
    assert!(!budget.is_short());
}

#[test]
fn small_requests_do_not_pass_a_big_one_of_who_holds_less() {
    let budget = budget(1000, 1000);
    let crowd: Vec<Lease> = (10..30).map(|other| now(&budget, holder(other, 10), 50).unwrap()).collect();
    let mut big = pin!(budget.take(holder(2, 2), 400));
    assert!(poll_once(big.as_mut()).is_pending());
    let mut small: Vec<_> = (10..30).map(|other| Box::pin(budget.take(holder(other, 11), 10))).collect();
    for waiting in &mut small {
        assert!(poll_once(waiting.as_mut()).is_pending());
    }
    let mut crowd = crowd.into_iter();
    for _ in 0..8 {
        assert!(poll_once(big.as_mut()).is_pending());
        drop(crowd.next());
    }
    assert!(poll_once(big.as_mut()).is_ready());
}

#[test]
fn the_last_eighth_is_for_those_who_hold_no_more_than_their_equal_part() {
    let budget = budget(800, 800);
    let greedy: Vec<Lease> = (0..7).map(|_| now(&budget, holder(1, 1), 100).unwrap()).collect();
    let _modest = now(&budget, holder(2, 2), 50).unwrap();
    assert!(now(&budget, holder(1, 1), 10).is_none(), "more than its equal part, and the reserve is begun");
    let modest = now(&budget, holder(2, 2), 50);
    assert!(modest.is_some(), "less than its equal part");
    assert_eq!(greedy.len(), 7);
}

#[test]
fn who_gives_up_waiting_holds_nobody_up() {
    let budget = budget(1000, 1000);
    let all = now(&budget, holder(1, 1), 1000).unwrap();
    {
        let mut gone = pin!(budget.take(holder(2, 2), 900));
        assert!(poll_once(gone.as_mut()).is_pending());
    }
    assert!(!budget.is_short());
    let mut waits = pin!(budget.take(holder(3, 3), 500));
    assert!(poll_once(waits.as_mut()).is_pending());
    drop(all);
    assert!(poll_once(waits.as_mut()).is_ready());
}

#[test]
fn metrics_say_what_is_used_and_who_waits() {
    let budget = budget(1000, 1000);
    let _held = now(&budget, holder(1, 1), 1000).unwrap();
    let mut waits = pin!(budget.take(holder(2, 2), 1));
    assert!(poll_once(waits.as_mut()).is_pending());
    let text = budget.metrics();
    for line in [
        "in_flight_bytes 1000",
        "in_flight_bytes_max 1000",
        "in_flight_waiting 1",
        "in_flight_waited_total 1",
    ] {
        assert!(text.lines().any(|found| found == format!("lastwords_ingester_{line}")), "{line} in {text}");
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Take(u8, u64, usize),
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..6_u8, 0..4_u64, 0..700_usize)
            .prop_map(|(shipper, connection, bytes)| Step::Take(shipper, connection, bytes)),
        (0..64_usize).prop_map(Step::Drop),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    /// Whatever comes in whatever order: never more than the pool, no share above its bound but by a single request,
    /// and once everything is given back, everybody has been served.
    #[test]
    fn the_bounds_hold_and_nobody_waits_for_ever(steps in steps()) {
        let budget = budget(1000, 300);
        let mut waiting: Vec<Pin<Box<dyn Future<Output = Lease>>>> = Vec::new();
        let mut leases: Vec<Lease> = Vec::new();
        for step in steps {
            match step {
                Step::Take(shipper, connection, bytes) => {
                    let budget = budget.clone();
                    let take = async move { budget.take(holder(shipper, connection), bytes).await };
                    waiting.push(Box::pin(take));
                }
                Step::Drop(place) if !leases.is_empty() => {
                    let place = place % leases.len();
                    drop(leases.swap_remove(place));
                }
                Step::Drop(_) => {}
            }
            settle(&mut waiting, &mut leases);
            let taken: usize = leases.iter().map(|lease| lease.bytes).sum();
            prop_assert_eq!(taken, budget.used_bytes());
            prop_assert!(taken <= 1000);
            for shipper in 0..6 {
                let own: Vec<usize> = leases.iter().filter(|lease| lease.holder.shipper == holder(shipper, 0).shipper).map(|lease| lease.bytes).collect();
                prop_assert!(own.iter().sum::<usize>() <= 300 || own.iter().filter(|bytes| **bytes > 0).count() == 1, "{:?}", own);
            }
        }
        while !leases.is_empty() {
            drop(leases.pop());
            settle(&mut waiting, &mut leases);
        }
        prop_assert!(waiting.is_empty(), "{} wait although nothing is taken", waiting.len());
        prop_assert_eq!(budget.used_bytes(), 0);
    }
}

fn settle(waiting: &mut Vec<Pin<Box<dyn Future<Output = Lease>>>>, leases: &mut Vec<Lease>) {
    let mut place = 0;
    while place < waiting.len() {
        match poll_once(waiting[place].as_mut()) {
            Poll::Ready(lease) => {
                leases.push(lease);
                drop(waiting.remove(place));
            }
            Poll::Pending => place += 1,
        }
    }
}
