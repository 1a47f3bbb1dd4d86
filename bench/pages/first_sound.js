// Runs in a page before its own scripts: its microphone is what `sound.say` says, and its ear is the
// tab's own output, as it goes to the loudspeaker. Both are on one clock, that of an AudioContext.
{
  // The answer's voice; nothing else sounds, and silence is exact.
  const AUDIBLE = 0.01;
  const EAR = `registerProcessor('ear', class extends AudioWorkletProcessor {
    process([[samples = []]]) {
      if (samples.some((sample) => Math.abs(sample) > ${AUDIBLE})) this.port.postMessage(currentTime);
      return true;
    }
  })`;
  const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const connections = [];
  let context, microphone;
  let heard = [];
  // When each kind of event last came on the data channel.
  const told = {};

  const ready = async () => {
    if (context) return;
    context = new AudioContext();
    microphone = context.createMediaStreamDestination();
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([EAR], { type: 'text/javascript' })));
  };
  MediaDevices.prototype.getUserMedia = async () => {
    await ready();
    await context.resume();
    return microphone.stream;
  };
  const createDataChannel = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...given) {
    const channel = createDataChannel.apply(this, given);
    channel.addEventListener('open', () => connections.push(this));
    channel.addEventListener('message', ({ data }) => (told[JSON.parse(data).type] = performance.now()));
    return channel;
  };

  // How long the samples that were played have waited for their turn, and how many those are.
  const waited = async () => {
    const all = [...(await connections.at(-1).getStats()).values()];
    const { jitterBufferDelay, jitterBufferEmittedCount } = all.find(({ type }) => type === 'inbound-rtp');
    return [jitterBufferDelay, jitterBufferEmittedCount];
  };

  window.sound = {
    async open() {
      while (!connections.length) await wait(0.02);
      // Without processing: an echo canceller takes the tab's own sound for echo.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const tab = await navigator.mediaDevices.getDisplayMedia({ audio, video: true, preferCurrentTab: true });
      tab.getVideoTracks().forEach((track) => track.stop());
      const ear = new AudioWorkletNode(context, 'ear');
      ear.port.onmessage = ({ data }) => heard.push(data);
      context.createMediaStreamSource(tab).connect(ear);
    },
    // Milliseconds: from the end of the samples to the first sound after it; of them the model's, from
    // its event that the caller is silent to the one that it speaks; how long sound spent in the
    // jitter buffer. Returns when the answer is over.
    async ask(samples, rate) {
      const buffer = context.createBuffer(1, samples.length, rate);
      buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(microphone);
      heard = [];
      const start = context.currentTime + 0.05;
      const end = start + buffer.duration;
      const [delay, emitted] = await waited();
      source.start(start);
      while (!heard.length || context.currentTime < heard.at(-1) + 0.4) await wait(0.05);
      const [delayAfter, emittedAfter] = await waited();
      return {
        first_ms: 1000 * (heard[0] - end),
        model_ms: told['output_audio_buffer.started'] - told['input_audio_buffer.speech_stopped'],
        buffer_ms: (1000 * (delayAfter - delay)) / (emittedAfter - emitted),
      };
    },
  };
}
