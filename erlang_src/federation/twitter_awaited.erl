%%% @doc Processes that wait for something from another server. In a cluster it may come to any node, so they are
%%% members of groups of `pg', in the scope of {@link twitter_cluster}: whoever meets what they wait for finds them
%%% there. A process that ends waits no longer.
-module(twitter_awaited).

-export([await/2, forgo/2, by/2]).
-export_type([what/0]).

-type what() :: {server, Domain :: binary()} | {error, Id :: binary()}.
%% Anything from that server; that a message with this id comes back.

%% @doc The calling process waits for that from now on. Before and after the group is there, nobody does.
-spec await(ServerHost :: binary(), what()) -> ok.
await(ServerHost, What) ->
    Scope = twitter_cluster:scope(ServerHost),
    case lists:member(self(), pg:get_local_members(Scope, What)) of
        true -> ok;
        false -> if_there(fun() -> pg:join(Scope, What, self()) end)
    end.

%% @doc The calling process waits for that no longer, if it did.
-spec forgo(ServerHost :: binary(), what()) -> ok.
forgo(ServerHost, What) ->
    if_there(fun() -> pg:leave(twitter_cluster:scope(ServerHost), What, self()) end).

%% @doc Who waits for that, on all nodes. Cost: a look into a table.
-spec by(ServerHost :: binary(), what()) -> [pid()].
by(ServerHost, What) ->
    pg:get_members(twitter_cluster:scope(ServerHost), What).

if_there(Change) ->
    try
        _ = Change(),
        ok
    catch
        exit:{_, {gen_server, call, _}} -> ok
    end.
