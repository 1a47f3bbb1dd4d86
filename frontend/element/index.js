/** Registers `<realtime-call>`. */
import { RealtimeCallElement } from './realtime-call-element.js';

export { RealtimeCallElement };

if (!customElements.get('realtime-call')) customElements.define('realtime-call', RealtimeCallElement);
