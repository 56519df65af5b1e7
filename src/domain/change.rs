//! Changes of membership and their reasons, in the words of the history tables.

use super::words;

words! {
    /// What happened to a membership; `cache_sync_changes.action`.
    Action {
        /// The symbol joined.
        Added = "added",
        /// The symbol left.
        Removed = "removed",
        /// The company goes by another symbol now.
        Renamed = "renamed",
        /// A proposal was kept back by a guard.
        Held = "held",
    }
}

words! {
    /// Why a symbol is a member; `universe_membership.entry_reason`.
    EntryReason {
        /// The universe was filled for the first time.
        FirstFill = "first_fill",
        /// It stood in a row that was there before this program.
        Adopted = "adopted",
        /// A rule of the universe lets it in.
        Rule = "rule",
        /// It is a new listing.
        Listing = "listing",
        /// It is back within days of having vanished from the source or been delisted.
        Return = "return",
        /// A person pinned it.
        Pin = "pin",
        /// A job was reverted.
        Revert = "revert",
    }
}

words! {
    /// Why a membership ended; `universe_membership.exit_reason`.
    ExitReason {
        /// It no longer trades.
        Delisted = "delisted",
        /// It has no row in `symbols`.
        Missing = "missing",
        /// It has no valid market cap.
        NoCap = "no_cap",
        /// Its type or its unknown activity keeps it out.
        Ineligible = "ineligible",
        /// A rule of the universe puts it out.
        Rule = "rule",
        /// Its time as a new listing is over.
        WindowEnd = "window_end",
        /// A person banned it.
        Ban = "ban",
        /// A job was reverted.
        Revert = "revert",
    }
}

words! {
    /// How a universe fared in the last sync; `cache_entries_metadata.status`.
    UniverseStatus {
        /// It is as the rules want it.
        Ok = "ok",
        /// A guard kept a proposed change back.
        Held = "held",
        /// Its source column or list does not exist, so it stays as it is.
        NoSourceData = "no_source_data",
    }
}
