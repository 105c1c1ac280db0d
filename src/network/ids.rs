//! Dense numbers of what requests meet: indexes into arrays on the hot path. Strings are for people.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident $(or $none:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) struct $name(pub(super) u32);

        $(impl $name {
            /// No such thing.
            pub(super) const $none: Self = Self(u32::MAX);

            /// Whether there is such a thing.
            #[inline]
            pub(super) const fn is_some(self) -> bool {
                self.0 != u32::MAX
            }
        })?

        impl $name {
            /// The place in the array.
            #[inline]
            pub(super) const fn at(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// A machine.
    NodeId or NONE
}
id! {
    /// A load balancer.
    PoolId
}
id! {
    /// A port of a Service.
    PortId
}
id! {
    /// An address and a port behind services.
    TargetId
}

impl TargetId {
    /// No such thing.
    pub(super) const NONE: Self = Self(u32::MAX);
}
id! {
    /// A container that may serve.
    ServerId or NONE
}
