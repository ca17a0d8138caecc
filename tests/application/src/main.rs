//! An application in a crate of its own, which has nothing of sockeye but its public interface: it gives clients' jobs
//! to workers, and acknowledges a job when a worker has done it.

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use sockeye::{
    Ack, Arguments, Broadcast, Config, Ctx, Entrant, Error, Events, Io, Namespace, Refusal, Result, Server, SocketId,
};

/// What all handlers share.
#[derive(Clone)]
struct Dispatcher {
    io: Io,
    jobs: Arc<Mutex<Jobs>>,
}

#[derive(Default)]
struct Jobs {
    last: u64,
    waiting: HashMap<u64, Job>,
}

struct Job {
    client: SocketId,
    done: Ack,
}

impl Dispatcher {
    fn workers(&self) -> Namespace {
        self.io.of("/workers")
    }

    fn clients(&self) -> Broadcast {
        self.io.everyone()
    }

    /// Keeps the acknowledgement until a worker has done the job.
    fn begin(&self, ctx: &Ctx, task: String) -> Result<()> {
        let mut jobs = self.jobs.lock().expect("nothing panics");
        jobs.last += 1;
        let number = jobs.last;
        jobs.waiting.insert(number, Job { client: ctx.id(), done: ctx.ack() });
        self.workers().emit("job", (number, task))
    }

    fn end(&self, number: u64, result: String) -> Result<()> {
        let job = self.jobs.lock().expect("nothing panics").waiting.remove(&number);
        let Job { client, done } = job.ok_or_else(|| Error::NotFound(format!("no job {number}")))?;
        self.clients().except(client).emit("job done", number)?;
        done.send(result);
        Ok(())
    }
}

async fn workers_only(entrant: Entrant) -> Result<(), Refusal> {
    if entrant.auth["secret"] == "of workers" { Ok(()) } else { Err("no worker".into()) }
}

fn main() -> ExitCode {
    let server = Server::bare(Config::bare());
    let dispatcher = Dispatcher { io: server.io(), jobs: Arc::default() };
    let workers = Events::new()
        .middleware(workers_only)
        .on("done", async |ctx: Ctx, (number, result)| ctx.state::<Dispatcher>().end(number, result));
    let server = server
        .state(dispatcher)
        .on("run", async |ctx: Ctx, task: String| ctx.state::<Dispatcher>().begin(&ctx, task))
        .on("echo", async |_: Ctx, arguments: Arguments| arguments)
        .on("count", async |ctx: Ctx, ()| ctx.state::<Dispatcher>().workers().fetch_sockets().await.len())
        .namespace("/workers", workers);
    sockeye::cli(server)
}
