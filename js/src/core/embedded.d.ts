/** Written by build.js: the module, raw deflate, base64. */
export declare const deflated: string;
