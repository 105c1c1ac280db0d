//! The choice between groups that would all help.

use crate::kernel::Stream;

/// How one of several groups is chosen that would all help; where that leaves more than one, the seed decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expander {
    /// Any of them.
    Random,
    /// The one with the least cpu and memory left over.
    #[default]
    LeastWaste,
    /// The one that takes the most pods.
    MostPods,
    /// The one with the highest priority.
    Priority,
}

/// A group that would help, and how.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Place of the group.
    pub(super) group: usize,
    pub(super) priority: i32,
    /// Machines that it would get.
    pub(super) machines: u32,
    /// How many pods would fit then.
    pub(super) pods: usize,
    /// Thousandths of cores and bytes of all machines together, and what of it the pods would take.
    pub(super) cpu: Share,
    pub(super) memory: Share,
}

/// What there is of a resource, and what is used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub(super) used: i64,
    pub(super) total: i64,
}

impl Share {
    /// Millionths that are left over.
    fn waste_ppm(self) -> i128 {
        let (used, total) = (i128::from(self.used), i128::from(self.total.max(1)));
        (total - used).max(0) * 1_000_000 / total
    }
}

impl Expander {
    /// Reads its name, as the flag has it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Random, Self::LeastWaste, Self::MostPods, Self::Priority];
        all.into_iter().find(|expander| expander.as_str() == name)
    }

    /// Its name, as the flag has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::LeastWaste => "least-waste",
            Self::MostPods => "most-pods",
            Self::Priority => "priority",
        }
    }

    /// The best of the candidates.
    pub(super) fn choose<'a>(self, candidates: &'a [Candidate], luck: &mut Stream) -> Option<&'a Candidate> {
        let merit = |candidate: &Candidate| match self {
            Self::Random => 0,
            Self::LeastWaste => -(candidate.cpu.waste_ppm() + candidate.memory.waste_ppm()),
            Self::MostPods => candidate.pods as i128,
            Self::Priority => i128::from(candidate.priority),
        };
        let best = candidates.iter().map(merit).max()?;
        let best: Vec<&Candidate> = candidates.iter().filter(|candidate| merit(candidate) == best).collect();
        match best[..] {
            [only] => Some(only),
            _ => luck.pick(&best).copied(),
        }
    }
}
