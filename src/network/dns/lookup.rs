//! How a resolver asks for a name: search domains and `ndots`, as glibc's `res_search` has it.

use std::fmt;

use super::{Answer, Nameserver, Rcode, RecordType, ResolvConf};

/// Longest name; longer ones are not asked for.
const LONGEST_NAME: usize = 253;

/// One name that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The absolute name, without a dot at the end.
    pub name: String,
    /// What came back.
    pub answer: Answer,
}

/// A name as a program sees it resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Every name that was tried, in order; the last one is the hit, if there is one.
    pub attempts: Vec<Attempt>,
    /// Whether the last attempt has records.
    pub found: bool,
    /// The code that the program is told.
    pub rcode: Rcode,
}

impl Lookup {
    /// The answer with records, if there is one.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.attempts.last().filter(|_| self.found).map(|attempt| &attempt.answer)
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, attempt) in self.attempts.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "; " })?;
            write!(f, "{}: {}", attempt.name, attempt.answer)?;
        }
        Ok(())
    }
}

impl ResolvConf {
    /// The absolute names that are tried for a name, in order, for as long as none is found: with a dot at the end, only the name
    /// itself; with at least [`ndots`](Self::ndots) dots, itself and then the search domains; with fewer, the search domains and
    /// then itself.
    #[must_use]
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let dots = name.matches('.').count();
        let searched = self.search.iter().map(|domain| match &**domain {
            "" | "." => name.to_owned(),
            domain => format!("{name}.{domain}"),
        });
        let mut names: Vec<String> = searched.collect();
        if dots >= self.ndots as usize {
            names.insert(0, name.to_owned());
        } else if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        names
    }

    /// Resolves a name. `ask` answers for an absolute name by the nameserver that is asked; the search goes on after NXDOMAIN,
    /// NODATA and SERVFAIL alike, and NODATA anywhere makes the failure one of "no address" and not "no such host".
    pub fn lookup(
        &self,
        name: &str,
        record_type: RecordType,
        mut ask: impl FnMut(&Nameserver, &str, RecordType) -> Answer,
    ) -> Lookup {
        let mut lookup = Lookup { attempts: Vec::new(), found: false, rcode: Rcode::NameError };
        let Some(server) = self.nameservers.first() else {
            lookup.rcode = Rcode::ServerFailure;
            return lookup;
        };
        let (mut saw_nodata, mut saw_failure) = (false, false);
        for name in self.candidates(name).into_iter().filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME) {
            let answer = ask(server, &name, record_type);
            saw_nodata |= answer.is_nodata();
            saw_failure |= answer.rcode == Rcode::ServerFailure;
            lookup.found = answer.rcode == Rcode::NoError && !answer.records.is_empty();
            lookup.attempts.push(Attempt { name, answer });
            if lookup.found {
                lookup.rcode = Rcode::NoError;
                return lookup;
            }
        }
        lookup.rcode = match (saw_nodata, saw_failure) {
            (true, _) => Rcode::NoError,
            (false, true) => Rcode::ServerFailure,
            (false, false) => Rcode::NameError,
        };
        lookup
    }
}
