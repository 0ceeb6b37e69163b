"""An executor that finishes each task as soon as it has it."""

import time

from pymesos import Executor, MesosExecutorDriver


class EchoExecutor(Executor):
    def launchTask(self, driver, task):
        for state in ("TASK_RUNNING", "TASK_FINISHED"):
            status = {"task_id": task["task_id"], "state": state, "timestamp": time.time()}
            driver.sendStatusUpdate(status)


if __name__ == "__main__":
    MesosExecutorDriver(EchoExecutor()).run()
