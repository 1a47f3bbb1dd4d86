// Runs in a page before its own scripts: marks when each step of a call is done, from outside, so
// that both pages are measured by the same means and neither is changed for it.
{
  const tracks = [];
  const mark = (name) => {
    if (!performance.getEntriesByName(name, 'mark').length) performance.mark(name);
  };
  const marking = (owner, method, before, after) => {
    const real = owner[method];
    owner[method] = async function (...given) {
      if (before(given)) mark(before(given));
      const result = await real.apply(this, given);
      if (after(given)) mark(after(given));
      tracks.push(...(result?.getTracks?.() ?? []));
      return result;
    };
  };
  const always = (name) => () => name;
  const step = (key, call) => ([url]) => {
    const path = new URL(url, location.href).pathname;
    if (path.endsWith('/token')) return key;
    return /\/(connect|realtime\/calls)$/.test(path) ? call : '';
  };

  marking(MediaDevices.prototype, 'getUserMedia', always('microphone asked'), always('microphone'));
  marking(RTCPeerConnection.prototype, 'setLocalDescription', always('offer made'), always('offer'));
  marking(RTCPeerConnection.prototype, 'setRemoteDescription', always('answer read'), always('applied'));
  marking(window, 'fetch', step('key asked', 'posted'), step('key', 'answered'));

  const createDataChannel = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...given) {
    this.addEventListener('iceconnectionstatechange', () => {
      if (['connected', 'completed'].includes(this.iceConnectionState)) mark('ice');
    });
    this.addEventListener('connectionstatechange', () => {
      if (this.connectionState === 'connected') mark('dtls');
    });
    const channel = createDataChannel.apply(this, given);
    channel.addEventListener('open', () => {
      mark('open');
      window.calls.opened();
    });
    return channel;
  };

  // The click comes first, and begins a count of its own.
  addEventListener(
    'click',
    () => {
      performance.clearMarks();
      mark('click');
      window.calls.open = new Promise((resolve) => (window.calls.opened = resolve));
    },
    true,
  );
  window.calls = {
    // Nobody clicks in the same moment in which the last call ended, or the page came up.
    async ready() {
      await window.ready;
      await new Promise((resolve) => requestIdleCallback(resolve, { timeout: 500 }));
    },
    async marks() {
      await window.calls.open;
      // States that change together with the opening may be reported after it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      return performance.getEntriesByType('mark').map(({ name, startTime }) => [name, startTime]);
    },
    // The next call is to open the microphone as the first did.
    release: () => tracks.splice(0).forEach((track) => track.stop()),
  };
}
