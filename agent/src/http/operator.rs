//! POST /api/v1: the operator calls of an agent.

use http::Request;
use hyper::body::Incoming;
use protocol::v1::agent::{Call, Response, call, response};
use protocol::{build_info, v1};

use super::reply::{self, Reply};
use super::request::{self, Streams};
use super::{Api, files, metrics, views};

pub(super) async fn handle(api: &Api, request: Request<Incoming>) -> Reply {
    let posted = match request::read_call::<Call>(request, Streams::Some).await {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    let kind = match validate(&posted.call) {
        Ok(kind) => kind,
        Err(problem) => {
            let message = format!("Failed to validate agent::Call: {problem}");
            return reply::bad_request(message);
        }
    };
    match answer(api, kind, &posted.call).await {
        Ok(response) => reply::message(posted.answer_as, posted.answer_as.encode(&response)),
        Err(refusal) => *refusal,
    }
}

/// The type, once what it needs is there (semantics 308).
fn validate(call: &Call) -> Result<call::Type, String> {
    use call::Type as T;
    let missing = |name: &str| Err(format!("Expecting '{name}' to be present"));
    let Some(kind) = call.r#type.and_then(|kind| T::try_from(kind).ok()) else {
        return missing("type");
    };
    match kind {
        T::GetMetrics if call.get_metrics.is_none() => missing("get_metrics"),
        T::ListFiles if call.list_files.is_none() => missing("list_files"),
        T::ReadFile if call.read_file.is_none() => missing("read_file"),
        _ => Ok(kind),
    }
}

async fn answer(api: &Api, kind: call::Type, call: &Call) -> Result<Response, Box<Reply>> {
    use call::Type as T;
    use response::Type as R;
    let mut answer = Response::default();
    let answered = match kind {
        T::GetHealth => {
            answer.get_health = Some(response::GetHealth { healthy: true });
            R::GetHealth
        }
        T::GetFlags => {
            let flags = api.config.flags().into_iter();
            let flags =
                flags.map(|(name, value)| v1::Flag { name: name.to_owned(), value: Some(value) });
            answer.get_flags = Some(response::GetFlags { flags: flags.collect() });
            R::GetFlags
        }
        T::GetVersion => {
            answer.get_version = Some(response::GetVersion { version_info: build_info::version() });
            R::GetVersion
        }
        T::GetMetrics => {
            let metrics = metrics::all(api).into_iter();
            let metrics = metrics.map(|(name, value)| v1::Metric { name, value: Some(value) });
            answer.get_metrics = Some(response::GetMetrics { metrics: metrics.collect() });
            R::GetMetrics
        }
        T::GetLoggingLevel => {
            answer.get_logging_level = Some(response::GetLoggingLevel { level: 0 });
            R::GetLoggingLevel
        }
        T::ListFiles => {
            let path = call.list_files.as_ref().map_or("", |call| &call.path);
            let file_infos =
                files::list(api, path).await.map_err(|error| Box::new(files::refuse(&error)))?;
            answer.list_files = Some(response::ListFiles { file_infos });
            R::ListFiles
        }
        T::ReadFile => {
            answer.read_file = Some(read_file(api, call).await?);
            R::ReadFile
        }
        T::GetContainers => {
            answer.get_containers = views::get_containers(api, shows_nested(call)).await;
            R::GetContainers
        }
        T::GetState | T::GetTasks | T::GetExecutors | T::GetFrameworks | T::GetAgent => {
            return Ok(known(api, kind));
        }
        T::GetOperations => {
            answer.get_operations = Some(response::GetOperations::default());
            R::GetOperations
        }
        T::GetResourceProviders => {
            answer.get_resource_providers = Some(response::GetResourceProviders::default());
            R::GetResourceProviders
        }
        _ => return Err(Box::new(reply::not_implemented())),
    };
    answer.r#type = Some(answered.into());
    Ok(answer)
}

fn shows_nested(call: &Call) -> bool {
    let wanted = call.get_containers.as_ref();
    wanted.is_some_and(|wanted| wanted.show_nested.unwrap_or(false))
}

/// Answers made from what the agent knows.
fn known(api: &Api, kind: call::Type) -> Response {
    use call::Type as T;
    use response::Type as R;
    let known = api.known.read();
    let tasks = || Some(views::get_tasks(&known));
    let executors = || Some(views::get_executors(&known));
    let frameworks = || Some(views::get_frameworks(&known));
    let mut answer = Response::default();
    let answered = match kind {
        T::GetTasks => {
            answer.get_tasks = tasks();
            R::GetTasks
        }
        T::GetExecutors => {
            answer.get_executors = executors();
            R::GetExecutors
        }
        T::GetFrameworks => {
            answer.get_frameworks = frameworks();
            R::GetFrameworks
        }
        T::GetAgent => {
            let mut info = known.state.info.as_ref().map(|info| info.0.clone()).unwrap_or_default();
            info.id = known.state.identity.as_ref().map(|known| known.agent_id.as_str().into());
            answer.get_agent =
                Some(response::GetAgent { agent_info: Some(info), ..Default::default() });
            R::GetAgent
        }
        _ => {
            answer.get_state = Some(response::GetState {
                get_tasks: tasks(),
                get_executors: executors(),
                get_frameworks: frameworks(),
            });
            R::GetState
        }
    };
    answer.r#type = Some(answered.into());
    answer
}

async fn read_file(api: &Api, call: &Call) -> Result<response::ReadFile, Box<Reply>> {
    let Some(read) = &call.read_file else { return Err(Box::new(reply::not_implemented())) };
    let part = files::read_part(api, &read.path, read.offset, read.length).await;
    let part = part.map_err(|error| Box::new(files::refuse(&error)))?;
    Ok(response::ReadFile { size: part.size, data: part.data })
}

#[cfg(test)]
mod tests {
    use protocol::media::ContentType;
    use serde_json::Value;

    use super::*;

    #[test]
    fn empty_arrays_are_shown_where_mesos_shows_them() {
        let answer = Response {
            r#type: Some(response::Type::GetState.into()),
            get_state: Some(response::GetState {
                get_tasks: Some(response::GetTasks::default()),
                get_executors: Some(response::GetExecutors::default()),
                get_frameworks: Some(response::GetFrameworks::default()),
            }),
            ..Default::default()
        };
        let text = ContentType::Json.encode(&answer);
        let shown: Value = serde_json::from_slice(&text).expect("JSON");
        let golden = include_str!("../../tests/golden/idle-GET_STATE.body");
        assert_eq!(shown, serde_json::from_str::<Value>(golden).expect("JSON"));
    }

    /// semantics 308
    #[test]
    fn calls_need_what_their_type_names() {
        let call = |kind: call::Type| Call { r#type: Some(kind.into()), ..Call::default() };
        assert!(validate(&call(call::Type::GetMetrics)).is_err());
        assert!(validate(&call(call::Type::ReadFile)).is_err());
        assert!(validate(&call(call::Type::GetContainers)).is_ok());
        assert!(validate(&Call::default()).is_err());
    }
}
