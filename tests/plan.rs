//! The planner from outside: scenario files that a person can read, and made markets against a slow oracle.

#[path = "plan/examples.rs"]
mod examples;
#[path = "plan/oracle.rs"]
mod oracle;
#[path = "plan/properties.rs"]
mod properties;
#[path = "plan/quarantine_properties.rs"]
mod quarantine_properties;
#[path = "plan/render.rs"]
mod render;
#[path = "plan/replays.rs"]
mod replays;
#[path = "plan/scenario.rs"]
mod scenario;
#[path = "plan/stability_properties.rs"]
mod stability_properties;
#[path = "plan/theme_properties.rs"]
mod theme_properties;
#[path = "plan/world.rs"]
mod world;
