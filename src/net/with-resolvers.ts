/**
 * `Promise.withResolvers` for Node 20, which lacks it and without which libp2p 3 throws while connecting. Import this module before any of
 * libp2p's. Defined as ECMAScript 2024 does; does nothing where the runtime has it.
 */
if (!('withResolvers' in Promise))
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value: function withResolvers<T>(this: PromiseConstructor): object {
      let resolve: ((value: T | PromiseLike<T>) => void) | undefined;
      let reject: ((reason?: unknown) => void) | undefined;
      const promise = new this<T>((onValue, onReason) => {
        resolve = onValue;
        reject = onReason;
      });
      return { promise, resolve, reject };
    },
  });

export {};
