%%% @doc All that changes the posts of one author, one after the other: his writes, the loading of his
%%% stream into the index, the deletion of his account.
%%%
%%% Stock pubsub reads the list of an author's items, changes it and writes it back, outside of
%%% transactions; two clients at once would lose a post of one. A transaction would be no remedy:
%%% `node_flat' catches what Mnesia throws to start one again, also in other people's transactions
%%% that come to wait for our locks, and goes on as if it had read nothing.
-module(twitter_writer).
-behaviour(gen_server).

-export([run/3, start_link/3]).
-export([init/1, handle_call/3, handle_cast/2]).

%% @doc Runs the function when no other for the same author runs, and returns or raises what it does.
%% It may call this again for the same author, not for another one: two could wait for each other.
-spec run(twitter_service:served(), Author :: twitter_nif:jid(), fun(() -> Result)) -> Result.
run(#{host := Host, server_host := ServerHost}, Author, Fun) ->
    case get(?MODULE) of
        {Host, Author} ->
            Fun();
        undefined ->
            {_, Worker} = twitter_pool:worker(?MODULE, ServerHost, Author),
            case gen_server:call(Worker, {run, {Host, Author}, Fun}, infinity) of
                {returned, Result} -> Result;
                {raised, Class, Reason, Stacktrace} -> erlang:raise(Class, Reason, Stacktrace)
            end;
        Another ->
            error({already_writing_for, Another})
    end.

-spec start_link(Name :: atom(), ServerHost :: binary(), Number :: pos_integer()) ->
          {ok, pid()} | {error, term()}.
start_link(Name, _ServerHost, _Number) ->
    gen_server:start_link({local, Name}, ?MODULE, [], []).

%% @private
-spec init([]) -> {ok, idle}.
init([]) ->
    {ok, idle}.

%% @private
-spec handle_call({run, {binary(), twitter_nif:jid()}, fun(() -> term())}, gen_server:from(), idle) ->
          {reply, {returned, term()} | {raised, error | exit | throw, term(), list()}, idle}.
handle_call({run, Whose, Fun}, _From, idle) ->
    put(?MODULE, Whose),
    Reply = try Fun() of
                Result -> {returned, Result}
            catch
                Class:Reason:Stacktrace -> {raised, Class, Reason, Stacktrace}
            after
                erase(?MODULE)
            end,
    {reply, Reply, idle}.

%% @private
-spec handle_cast(term(), idle) -> {noreply, idle}.
handle_cast(_Message, idle) ->
    {noreply, idle}.
