//! The five sub-tasks and the modes that choose among them.

use super::words;

words! {
    /// A sub-task of a sync. The order of declaration is the order of execution.
    SyncTask {
        /// Tiers, rankings, sector leaders, `all_stocks`.
        MarketCapRecalculation = "market_cap_recalculation",
        /// New listings, in `recent_ipos` and in themes.
        IpoAssignment = "ipo_assignment",
        /// Takes out what no longer trades.
        DelistedCleanup = "delisted_cleanup",
        /// The nine themes.
        ThemeRebalancing = "theme_rebalancing",
        /// Exchange-traded products.
        EtfUniverseMaintenance = "etf_universe_maintenance",
    }
}

words! {
    /// What a job is asked to do.
    Mode {
        /// All five sub-tasks.
        Full = "full",
        /// Tiers, rankings, sector leaders, `all_stocks` only.
        MarketCap = "market_cap",
        /// New listings only.
        Ipos = "ipos",
        /// Delistings only.
        Delisted = "delisted",
        /// Themes only.
        Themes = "themes",
        /// Exchange-traded products only.
        Etfs = "etfs",
        /// Puts universes back as they were before a job; made by the command only.
        Revert = "revert",
    }
}

words! {
    /// How a sub-task ended.
    TaskStatus {
        /// It was carried out.
        Completed = "completed",
        /// It failed, and the job with it.
        Failed = "failed",
        /// It was not carried out.
        Skipped = "skipped",
    }
}

impl Mode {
    /// The sub-tasks of this mode, in order.
    pub fn tasks(self) -> &'static [SyncTask] {
        match self {
            Self::Full => SyncTask::ALL,
            Self::MarketCap => &[SyncTask::MarketCapRecalculation],
            Self::Ipos => &[SyncTask::IpoAssignment],
            Self::Delisted => &[SyncTask::DelistedCleanup],
            Self::Themes => &[SyncTask::ThemeRebalancing],
            Self::Etfs => &[SyncTask::EtfUniverseMaintenance],
            Self::Revert => &[],
        }
    }

    /// Whether this mode runs `task`.
    pub fn runs(self, task: SyncTask) -> bool {
        self.tasks().contains(&task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_runs_all_five_in_order_and_the_others_one() {
        assert_eq!(Mode::Full.tasks(), SyncTask::ALL);
        for mode in [Mode::MarketCap, Mode::Ipos, Mode::Delisted, Mode::Themes, Mode::Etfs] {
            assert_eq!(mode.tasks().len(), 1, "{mode}");
        }
    }
}
