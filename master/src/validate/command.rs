//! Commands and containers (semantics 154 to 156).

use protocol::v1::environment::variable::Type as VariableType;
use protocol::v1::volume::source::Type as SourceType;
use protocol::v1::{
    CommandInfo, ContainerInfo, Environment, Secret, Volume, container_info, secret,
};

/// Checks a command.
pub(crate) fn command(command: &CommandInfo) -> Result<(), String> {
    command.environment.as_ref().map_or(Ok(()), environment)
}

fn environment(environment: &Environment) -> Result<(), String> {
    for variable in &environment.variables {
        let name = &variable.name;
        match variable.r#type() {
            VariableType::Value => {
                if variable.secret.is_some() {
                    return Err(format!(
                        "Environment variable '{name}' of type VALUE has a secret"
                    ));
                }
                if variable.value.is_none() {
                    return Err(format!("Environment variable '{name}' has no value"));
                }
            }
            VariableType::Secret => {
                let (Some(secret), None) = (&variable.secret, &variable.value) else {
                    return Err(format!(
                        "Environment variable '{name}' of type SECRET needs a secret and no value"
                    ));
                };
                check_secret(secret)?;
                let data = secret.value.as_ref().map(|value| value.data.as_slice());
                if data.is_some_and(|data| data.contains(&0)) {
                    return Err(format!("Environment variable '{name}' holds a NUL byte"));
                }
            }
            VariableType::Unknown => {
                return Err(format!("Environment variable '{name}' is of unknown type"));
            }
        }
    }
    Ok(())
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    let fits = match secret.r#type() {
        secret::Type::Reference => secret.reference.is_some() && secret.value.is_none(),
        secret::Type::Value => secret.value.is_some() && secret.reference.is_none(),
        secret::Type::Unknown => false,
    };
    if fits { Ok(()) } else { Err("A secret does not hold what its type names".to_owned()) }
}

/// Checks a container.
pub(crate) fn container(container: &ContainerInfo) -> Result<(), String> {
    if container.r#type() == container_info::Type::Docker {
        let Some(docker) = &container.docker else {
            return Err("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo".to_owned());
        };
        if docker.parameters.iter().any(|parameter| parameter.key == "name") {
            return Err("Parameter in DockerInfo must not be 'name'".to_owned());
        }
    }
    container.volumes.iter().try_for_each(check_volume)
}

fn check_volume(volume: &Volume) -> Result<(), String> {
    let ways = [volume.host_path.is_some(), volume.image.is_some(), volume.source.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        return Err("Only one of them should be set: 'host_path', 'image' and 'source'".to_owned());
    }
    let Some(source) = &volume.source else { return Ok(()) };
    let fits = match source.r#type() {
        SourceType::DockerVolume => source.docker_volume.is_some(),
        SourceType::HostPath => source.host_path.is_some(),
        SourceType::SandboxPath => source.sandbox_path.is_some(),
        SourceType::Secret => {
            source.secret.as_ref().is_some_and(|secret| check_secret(secret).is_ok())
        }
        SourceType::CsiVolume => {
            source.csi_volume.as_ref().is_some_and(|it| it.static_provisioning.is_some())
        }
        SourceType::Unknown => return Err("'source.type' is unknown".to_owned()),
    };
    if fits {
        Ok(())
    } else {
        Err("A volume's source does not hold what its type names".to_owned())
    }
}
