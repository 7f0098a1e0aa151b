%%% @doc The numbers for Prometheus, as a page of ejabberd's web server: an admin puts it into
%%% `request_handlers' of a listener, which also says who may ask.
-module(twitter_metrics).

-include_lib("ejabberd/include/ejabberd_http.hrl").

-export([process/2]).

%% @doc Called by ejabberd_http.
-spec process(Path :: [binary()], #request{}) -> {200 | 404 | 405, [{binary(), binary()}], binary()}.
process([], #request{method = 'GET'}) ->
    {200, [{<<"Content-Type">>, <<"text/plain; version=0.0.4; charset=utf-8">>}], twitter_stats:prometheus()};
process([], #request{}) ->
    {405, [{<<"Allow">>, <<"GET">>}], <<>>};
process(_, #request{}) ->
    {404, [], <<>>}.
