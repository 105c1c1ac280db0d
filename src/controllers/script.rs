//! How a sync waits for the API server.
//!
//! A sync of a workload can be written as one function that calls the API server where upstream does. A call whose
//! answer is not known yet ends the function with [`Halt::Await`]; once the answer is there the function runs again
//! from its start, on what was read at first, and the calls that were answered return at once. So the code reads as
//! the rule it implements, and the data that is carried between two steps is a list of answers.

use std::fmt;

use crate::api::{ApiError, EventKind, EventSpec, Request, Response, Step, Then};
use crate::kernel::SimDuration;
use crate::objects::{Object, ObjectReference, Text, WallTime};

/// Why a sync stopped before its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It waits for answers.
    Await,
    /// It failed and is to be repeated.
    Failed(Failure),
    /// It ends here without a failure: a write of its own will wake it again.
    Ended,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The API server refused.
    Api(ApiError),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => f.write_str(&error.message),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<ApiError> for Halt {
    fn from(error: ApiError) -> Self {
        Self::Failed(Failure::Api(error))
    }
}

impl From<String> for Halt {
    fn from(why: String) -> Self {
        Self::Failed(Failure::Other(why))
    }
}

/// What a part of a sync gives.
pub(crate) type Flow<T> = Result<T, Halt>;

/// Lets a sync go on after a failure, with what failed in hand; a sync that waits still stops.
pub(crate) fn caught<T>(flow: Flow<T>) -> Flow<Result<T, Failure>> {
    match flow {
        Ok(value) => Ok(Ok(value)),
        Err(Halt::Failed(failure)) => Ok(Err(failure)),
        Err(halt) => Err(halt),
    }
}

/// One thing that a sync learned on its way.
#[derive(Clone, Debug)]
enum Entry {
    /// Answers to calls that left together, and when they came.
    Answers(Vec<Response>, WallTime),
    /// An object as it was looked up.
    Found(Option<Object>),
}

/// What a sync learned so far, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    awaited: usize,
}

impl Log {
    /// Notes the responses to the calls of the step before.
    pub(crate) fn answer(&mut self, mut responses: Vec<Response>, now: WallTime) {
        responses.truncate(self.awaited);
        self.awaited = 0;
        self.entries.push(Entry::Answers(responses, now));
    }
}

/// A run of a sync along its log.
#[derive(Debug)]
pub(crate) struct Script {
    log: Log,
    at: usize,
    now: WallTime,
    calls: Vec<Request>,
    events: Vec<Request>,
}

impl Script {
    pub(crate) const fn new(log: Log, started: WallTime) -> Self {
        Self { log, at: 0, now: started, calls: Vec::new(), events: Vec::new() }
    }

    /// Time of the last answer, or of the start.
    pub(crate) const fn now(&self) -> WallTime {
        self.now
    }

    /// Whether this run has passed everything that earlier runs did.
    fn is_live(&self) -> bool {
        self.at == self.log.entries.len()
    }

    /// Makes a call and gives its answer.
    pub(crate) fn call(&mut self, request: impl FnOnce() -> Request) -> Flow<Response> {
        let answer = self.call_all(|| vec![request()])?.pop();
        answer.ok_or_else(|| Halt::from("the API server gave no answer".to_owned()))
    }

    /// Makes calls together and gives their answers in order.
    pub(crate) fn call_all(&mut self, requests: impl FnOnce() -> Vec<Request>) -> Flow<Vec<Response>> {
        self.try_call_all(|| Ok(requests()))
    }

    /// Makes calls together, if all of them can be made up, and gives their answers in order.
    pub(crate) fn try_call_all(&mut self, requests: impl FnOnce() -> Flow<Vec<Request>>) -> Flow<Vec<Response>> {
        if let Some(Entry::Answers(answers, now)) = self.log.entries.get(self.at) {
            self.at += 1;
            self.now = *now;
            return Ok(answers.clone());
        }
        self.calls = requests()?;
        self.log.awaited = self.calls.len();
        Err(Halt::Await)
    }

    /// Looks an object up, once: later runs see what the first one saw.
    pub(crate) fn look_up(&mut self, find: impl FnOnce() -> Option<Object>) -> Option<Object> {
        if self.is_live() {
            self.log.entries.push(Entry::Found(find()));
        }
        let entry = self.log.entries.get(self.at);
        self.at += 1;
        if let Some(Entry::Found(object)) = entry { object.clone() } else { None }
    }

    /// Makes a call as the last act of the sync; if it fails the sync failed.
    pub(crate) fn send(&mut self, request: impl FnOnce() -> Request) {
        if self.is_live() {
            self.calls.push(request());
        }
    }

    /// Records an Event.
    pub(crate) fn event(&mut self, about: &ObjectReference, kind: EventKind, reason: &'static str, message: Text) {
        if self.is_live() {
            let spec = EventSpec { about: about.clone(), kind, reason: reason.into(), message };
            self.events.push(Request::Event(spec));
        }
    }

    /// The step that this run leads to. Calls go before Events, so that answers can be told apart by their number.
    pub(crate) fn step(mut self, outcome: Flow<Option<SimDuration>>) -> Step<Log> {
        self.calls.append(&mut self.events);
        let then = match outcome {
            Ok(requeue_after) => Then::Done { requeue_after },
            Err(Halt::Ended) => Then::Done { requeue_after: None },
            Err(Halt::Await) => Then::Resume(self.log),
            Err(Halt::Failed(failure)) => Then::Retry(failure.to_string()),
        };
        Step { requests: self.calls, then }
    }
}
