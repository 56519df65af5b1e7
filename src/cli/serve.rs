//! `serve`: several roles in one process.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::info;

use crate::console::Console;
use crate::http::{Api, Server};
use crate::settings::Settings;
use crate::trigger::Triggers;
use crate::worker::shutdown::Shutdown;
use crate::worker::{Until, Worker};

use super::Context;
use super::exit::Exit;

/// Runs several roles in one process: worker, API, triggers, console
///
/// The API and the console need a key: CACHE_SYNC_API_KEY, or the SHA-256 of one under [http.keys] in the configuration file. Servers
/// that are away are waited for. SIGTERM or Ctrl-C: all roles finish what they have begun, and it exits 0; a second one
/// ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  CACHE_SYNC_API_KEY=... cache-sync serve
  cache-sync serve --roles worker,api,triggers,console     (pages for operators, under http://127.0.0.1:8080/console)
  cache-sync serve --roles api --set http.listen=127.0.0.1:8081
  cache-sync serve --roles worker,triggers     (as many of these as you like, on as many machines)")]
pub struct ServeArgs {
    /// What this process does, with commas: worker, api, triggers, console
    #[arg(
        long,
        value_name = "ROLES",
        value_delimiter = ',',
        default_value = "worker,api,triggers",
        hide_possible_values = true
    )]
    roles: Vec<Role>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// Works on jobs.
    Worker,
    /// Answers HTTP.
    Api,
    /// Starts jobs by the clock and by what imports announce.
    Triggers,
    /// Shows pages to operators, under /console.
    Console,
}

/// Runs `serve`.
pub async fn serve(args: &ServeArgs, context: &Context) -> Result<(), Exit> {
    let shutdown = Shutdown::on_signals(context.settings.worker.drain)
        .map_err(|error| Exit::NotDone(format!("cannot listen for signals: {error}")))?;
    let roles: BTreeSet<Role> = args.roles.iter().copied().collect();
    let running = start(&roles, context, &shutdown).await?;
    until_all_end(running, context, &shutdown).await
}

/// Starts the roles, after all that can be wrong with any of them was looked at.
async fn start(
    roles: &BTreeSet<Role>,
    context: &Context,
    shutdown: &Shutdown,
) -> Result<JoinSet<Result<(), Exit>>, Exit> {
    let settings = &context.settings;
    let worker = Worker::new(settings, shutdown.clone()).map_err(Exit::Usage)?;
    let own_worker = roles.contains(&Role::Worker).then(|| worker.identity.name().to_owned());
    let server = bind(roles, settings, own_worker, shutdown).await?;
    let triggers = Triggers::new(settings, shutdown.clone()).map_err(Exit::Usage)?;
    let mut running = JoinSet::new();
    if roles.contains(&Role::Worker) {
        running.spawn(async move { Ok(Arc::new(worker).run(Until::Stopped).await?) });
    }
    if let Some(server) = server {
        running.spawn(async move {
            server.run().await;
            Ok(())
        });
    }
    if roles.contains(&Role::Triggers) {
        running.spawn(async move { Ok(Arc::new(triggers).run().await?) });
    }
    Ok(running)
}

/// The one server of the roles that answer HTTP; none where there is no such role.
async fn bind(
    roles: &BTreeSet<Role>,
    settings: &Settings,
    own_worker: Option<String>,
    shutdown: &Shutdown,
) -> Result<Option<Server>, Exit> {
    let (calls, pages) = (roles.contains(&Role::Api), roles.contains(&Role::Console));
    if !calls && !pages {
        return Ok(None);
    }
    let api = Api::new(settings, own_worker, shutdown.clone()).map_err(Exit::Usage)?;
    let api = if calls { api } else { api.without_calls() };
    let server = Server::bind(api, settings.http.listen).await.map_err(Exit::Usage)?;
    if !pages {
        return Ok(Some(server));
    }
    let console = Console::new(settings, shutdown.clone()).map_err(Exit::Usage)?;
    if let Some(address) = server.address() {
        info!("the console is at http://{address}/console/");
    }
    Ok(Some(server.with_pages(console.router())))
}

/// Waits for all roles. Where one fails, the others are asked to stop too: half a service hides its own failure.
async fn until_all_end(
    mut running: JoinSet<Result<(), Exit>>,
    context: &Context,
    shutdown: &Shutdown,
) -> Result<(), Exit> {
    let mut ended = Ok(());
    while let Some(role) = running.join_next().await {
        let failed = match role {
            Ok(Ok(())) => continue,
            Ok(Err(exit)) => exit,
            // The panic hook has said where.
            Err(_) => Exit::NotDoneAsShown,
        };
        if ended.is_ok() {
            ended = Err(failed);
            shutdown.ask(context.settings.worker.drain);
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: ServeArgs,
    }

    #[test]
    fn all_roles_run_unless_told_otherwise() {
        let roles = |line: &[&str]| {
            let words = ["serve"].iter().chain(line);
            Line::try_parse_from(words).map(|line| line.args.roles)
        };
        assert_eq!(roles(&[]).expect("valid"), [Role::Worker, Role::Api, Role::Triggers]);
        assert_eq!(roles(&["--roles", "api,worker"]).expect("valid"), [Role::Api, Role::Worker]);
        for nonsense in ["", "apis", "worker;api"] {
            assert!(roles(&["--roles", nonsense]).is_err(), "{nonsense:?}");
        }
    }
}
