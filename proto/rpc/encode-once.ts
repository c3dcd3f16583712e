/**
 * `encode`, which remembers the bytes of a message that `isShared`, for as long as the message itself is held: what goes to all sessions is
 * the same object for each, and becomes bytes once. Neither message nor bytes may be changed afterwards.
 */
export function encodeOnce<Message extends object>(encode: (message: Message) => Buffer, isShared: (message: Message) => boolean): (message: Message) => Buffer {
  const known = new WeakMap<Message, Buffer>();
  return message => {
    if (!isShared(message)) {
      return encode(message);
    }
    const bytes = known.get(message) ?? encode(message);
    known.set(message, bytes);
    return bytes;
  };
}
