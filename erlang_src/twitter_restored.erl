%%% @doc Hears when rows of pubsub nodes are written past the plugin, as `ejabberdctl restore' and `load' do it: what
%%% the index knows of those authors is out of date then. `load' writes nodes and posts in one transaction, so
%%% this also tells of the posts.
%%%
%%% Cost: a stream that is made anew is loaded once more.
-module(twitter_restored).
-behaviour(twitter_watch).

-export([subject/0, begun/0, changes/2, changed/2, ended/1]).

%% @private
-spec subject() -> twitter_watch:subject().
subject() ->
    #{table => pubsub_node, owner => mod_pubsub, backend => mod_pubsub_mnesia, hooks => []}.

%% @private
-spec begun() -> none.
begun() ->
    none.

%% @private
-spec changes(none, Key :: term()) -> ok.
changes(none, {Host, Node}) when is_binary(Host) ->
    case twitter_path:author(Node) of
        {ok, Author} -> twitter_index:forget_here(Host, Author);
        none -> ok
    end;
changes(none, _OfPep) ->
    ok.

%% @private
-spec changed(none, Key :: term()) -> ok.
changed(none, Key) ->
    changes(none, Key).

%% @private
-spec ended(none) -> ok.
ended(none) ->
    ok.
