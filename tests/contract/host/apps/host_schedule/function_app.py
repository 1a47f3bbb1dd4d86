from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(arg_name="timer", schedule="0 0 9 * * 1-5")
def ticking(timer: func.TimerRequest) -> None:
    return None
