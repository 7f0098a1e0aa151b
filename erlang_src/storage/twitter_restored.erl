%%% @doc Hears when rows of pubsub nodes are written past the plugin, as `ejabberdctl restore' and `load' do it: what
%%% the index knows of those authors is out of date then. `load' writes nodes and posts in one transaction, so
%%% this also tells of the posts.
%%%
%%% Cost: a stream that is made anew is loaded once more.
-module(twitter_restored).
-behaviour(twitter_watch).

-export([subject/0, begun/0, matters/1, changes/2, changed/2, ended/1]).

%% @private
-spec subject() -> twitter_watch:subject().
subject() ->
    #{table => pubsub_node, owner => mod_pubsub, backend => mod_pubsub_mnesia, hooks => []}.

%% @private
-spec begun() -> none.
begun() ->
    none.

%% Nodes that are no author's are mod_pubsub's alone: its transactions fail if they meet the lock.
%% @private
-spec matters(Key :: term()) -> boolean().
matters({Host, Node}) -> is_binary(Host) andalso twitter_path:author(Node) =/= none;
matters(_Key) -> false.

%% @private
-spec changes(none, Key :: term()) -> ok.
changes(none, {Host, Node}) ->
    {ok, Author} = twitter_path:author(Node),
    twitter_index:forget_here(Host, Author).

%% @private
-spec changed(none, Key :: term()) -> ok.
changed(none, Key) ->
    changes(none, Key).

%% @private
-spec ended(none) -> ok.
ended(none) ->
    ok.
