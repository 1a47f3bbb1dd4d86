import type { RealtimeCallElement } from './types/element/realtime-call-element.js';

export * from './types/element/index.js';

declare global {
  interface HTMLElementTagNameMap {
    'realtime-call': RealtimeCallElement;
  }
}
