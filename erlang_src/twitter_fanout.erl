%%% @doc Brings posts to the people who may see their author's presence. All posts of one author
%%% go through one worker, so they arrive in their order; the publisher waits for none of it.
%%%
%%% A worker serves its authors in turns, each for one portion of recipients. When the core says so it
%%% asks the author's roster again: who lost the right in the meantime does not get the post. A worker
%%% that is stopped first sends what it has.
-module(twitter_fanout).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([published/5, retracted/4, forget/2, sync/1, start_link/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% How long a worker pauses when sessions do not keep up, and after how long without any progress it
%% concludes that they are gone.
-define(PAUSE_MS, 5).
-define(STALLED_MS, 1_000).
%% What a post that waits takes beside its own size, in bytes.
-define(OVERHEAD, 500).

-type post() :: #{host := binary(), author := twitter_nif:jid(), publisher := jid:jid(),
                  what := twitter_event:what(), bytes := pos_integer(),
                  %% Users of other servers are the business of the node where it was published.
                  scope := everybody | sessions}.
%% An author's posts: the one that is being sent, if any, and those that wait for it.
-record(author, {current = none :: none | {post(), twitter_delivery:delivery(), twitter_nif:fanout()},
                 waiting = queue:new() :: queue:queue(post())}).
-record(state, {server_host :: binary(),
                number :: pos_integer(),
                flow :: twitter_flow:flow(),
                authors = #{} :: #{twitter_nif:jid() => #author{}},
                turns = queue:new() :: queue:queue(twitter_nif:jid()),
                %% Since when nothing has arrived, while too much is under way.
                stalled = none :: none | {Arrived :: integer(), SinceMs :: integer()},
                %% Who waits for the end of all.
                waiting = [] :: [gen_server:from()]}).

%% @doc A post was stored: send it to everybody entitled, and to the author's other resources.
-spec published(twitter_service:served(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                Id :: binary(), Payload :: [xmlel()]) -> ok.
published(Service, Author, Publisher, Id, Payload) ->
    hand_over(Service, Author, Publisher, {item, Id, Payload}).

%% @doc Posts were deleted: tell the same people.
-spec retracted(twitter_service:served(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                Ids :: [binary()]) -> ok.
retracted(Service, Author, Publisher, Ids) ->
    hand_over(Service, Author, Publisher, {retract, Ids}).

%% @doc The account of an author was deleted: what waits of his posts is not sent. The name may be somebody
%% else's soon, with other friends.
-spec forget(twitter_service:served(), Author :: twitter_nif:jid()) -> ok.
forget(#{server_host := ServerHost}, Author) ->
    {_, Name} = twitter_pool:worker(?MODULE, ServerHost, Author),
    lists:foreach(fun(Node) -> {Name, Node} ! {forget, Author} end, ejabberd_cluster:get_nodes()).

%% To the worker here; one message to each other node of the cluster tells its sessions.
hand_over(#{host := Host, server_host := ServerHost}, Author, Publisher, What) ->
    Post = #{host => Host, author => Author, publisher => Publisher, what => What,
             bytes => erlang:external_size(What) + ?OVERHEAD, scope => everybody},
    {Number, Name} = twitter_pool:worker(?MODULE, ServerHost, Author),
    lists:foreach(fun(Node) -> {Name, Node} ! {send, Post#{scope := sessions}} end,
                  ejabberd_cluster:get_nodes() -- [node()]),
    case {whereis(Name), twitter_flow:find(ServerHost)} of
        {Worker, {ok, Flow}} when is_pid(Worker) ->
            case twitter_flow:enter(Flow, Number, maps:get(bytes, Post)) of
                ok ->
                    Worker ! {send, Post},
                    ok;
                full ->
                    ok
            end;
        _ ->
            %% The post is stored, and read later.
            ?WARNING_MSG("A post of ~ts at ~ts is not sent: there is nobody to send it", [Author, Host])
    end.

%% @doc Returns when everything handed over before has been sent, if the host is served: for tests.
-spec sync(Host :: binary()) -> ok.
sync(Host) ->
    case twitter_service:find(Host) of
        {ok, #{server_host := ServerHost}} ->
            lists:foreach(fun(Worker) -> ok = gen_server:call(Worker, sync, infinity) end,
                          twitter_pool:workers(?MODULE, ServerHost));
        error ->
            ok
    end.

-spec start_link(Name :: atom(), ServerHost :: binary(), Number :: pos_integer()) ->
          {ok, pid()} | {error, term()}.
start_link(Name, ServerHost, Number) ->
    %% Before anybody finds the worker.
    {ok, Flow} = twitter_flow:find(ServerHost),
    ok = twitter_flow:reset(Flow, Number),
    gen_server:start_link({local, Name}, ?MODULE, {ServerHost, Number}, []).

%% @private
-spec init({binary(), pos_integer()}) -> {ok, #state{}}.
init({ServerHost, Number}) ->
    process_flag(trap_exit, true),
    %% Whoever waits for an answer comes first.
    process_flag(priority, low),
    {ok, Flow} = twitter_flow:find(ServerHost),
    {ok, #state{server_host = ServerHost, number = Number, flow = Flow}}.

%% @private
-spec handle_call(sync, gen_server:from(), #state{}) -> {reply, ok, #state{}} | {noreply, #state{}}.
handle_call(sync, _From, #state{authors = Authors} = State) when map_size(Authors) =:= 0 ->
    {reply, ok, State};
handle_call(sync, From, #state{waiting = Waiting} = State) ->
    {noreply, State#state{waiting = [From | Waiting]}}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info({send, post()} | {forget, twitter_nif:jid()} | turn | term(), #state{}) ->
          {noreply, #state{}}.
handle_info({send, #{scope := sessions, bytes := Bytes} = Post},
            #state{flow = Flow, number = Number} = State) ->
    case twitter_flow:enter(Flow, Number, Bytes) of
        ok -> {noreply, queued(Post, State)};
        full -> {noreply, State}
    end;
handle_info({send, Post}, State) ->
    {noreply, queued(Post, State)};
handle_info({forget, Author}, #state{authors = Authors} = State) ->
    case Authors of
        #{Author := #author{current = Current, waiting = Waiting}} ->
            Posts = [Post || {Post, _, _} <- [Current]] ++ queue:to_list(Waiting),
            lists:foreach(fun(Post) -> ended(Post, State) end, Posts),
            %% His turn will find nothing to do.
            {noreply, State#state{authors = Authors#{Author := #author{}}}};
        #{} ->
            {noreply, State}
    end;
handle_info(turn, #state{flow = Flow} = State) ->
    case twitter_flow:is_open(Flow) of
        true ->
            Next = turn(State#state{stalled = none}),
            _ = [self() ! turn || map_size(Next#state.authors) > 0],
            {noreply, Next};
        {false, Arrived} ->
            _ = erlang:send_after(?PAUSE_MS, self(), turn),
            {noreply, stalled(Arrived, erlang:monotonic_time(millisecond), State)}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

%% There is a message `turn' on its way while, and only while, there are authors.
queued(#{author := Author} = Post, #state{authors = Authors, turns = Turns} = State) ->
    case Authors of
        #{Author := #author{waiting = Waiting} = Busy} ->
            More = Busy#author{waiting = queue:in(Post, Waiting)},
            State#state{authors = Authors#{Author := More}};
        #{} ->
            _ = [self() ! turn || map_size(Authors) =:= 0],
            New = #author{waiting = queue:from_list([Post])},
            State#state{authors = Authors#{Author => New}, turns = queue:in(Author, Turns)}
    end.

stalled(Arrived, Now, #state{flow = Flow, stalled = {Arrived, Since}} = State)
  when Now - Since >= ?STALLED_MS ->
    twitter_flow:forgive(Flow, Arrived),
    State#state{stalled = none};
stalled(Arrived, _Now, #state{stalled = {Arrived, _}} = State) ->
    State;
stalled(Arrived, Now, State) ->
    State#state{stalled = {Arrived, Now}}.

%% @private
-spec terminate(term(), #state{}) -> ok.
terminate(Reason, State) ->
    receive
        {send, _} = Message ->
            {noreply, Next} = handle_info(Message, State),
            terminate(Reason, Next)
    after 0 ->
        finish(State)
    end.

finish(#state{authors = Authors}) when map_size(Authors) =:= 0 -> ok;
finish(State) -> finish(turn(State)).

%% The next author has his turn.
turn(#state{turns = Turns, authors = Authors, waiting = Waiting} = State) ->
    case queue:out(Turns) of
        {{value, Author}, Others} ->
            case portion(maps:get(Author, Authors), State) of
                done when map_size(Authors) =:= 1 ->
                    lists:foreach(fun(From) -> gen_server:reply(From, ok) end, Waiting),
                    State#state{authors = #{}, turns = Others, waiting = []};
                done ->
                    State#state{authors = maps:remove(Author, Authors), turns = Others};
                Busy ->
                    State#state{authors = Authors#{Author := Busy}, turns = queue:in(Author, Others)}
            end
    end.

%% Sends a portion of the author's current post.
portion(#author{current = none, waiting = Waiting} = Author, State) ->
    case queue:out(Waiting) of
        {{value, Post}, Rest} ->
            Begun = guarded(Post, State, fun() -> begun(Post, State) end),
            portion(Author#author{current = Begun, waiting = Rest}, State);
        {empty, _} ->
            done
    end;
portion(#author{current = {Post, Delivery, Fanout} = Current} = Author, State) ->
    Sent = guarded(Post, State, fun() -> continued(Post, Delivery, Fanout, Current, State) end),
    Author#author{current = Sent}.

%% What fails for one post, in whatever module is asked, must not cost the posts that wait.
guarded(#{author := Author} = Post, State, Fun) ->
    try
        Fun()
    catch
        Class:Reason:Stacktrace ->
            ?ERROR_MSG("A post of ~ts was not sent to all:~n** ~ts",
                       [Author, misc:format_exception(2, Class, Reason, Stacktrace)]),
            ended(Post, State)
    end.

ended(#{bytes := Bytes}, #state{flow = Flow, number = Number}) ->
    ok = twitter_flow:leave(Flow, Number, Bytes),
    none.

%% The author's own resources get it now; then those who stand on the note that the core makes.
begun(#{host := Host, author := Author, publisher := Publisher, what := What} = Post,
      #state{server_host = ServerHost, flow = Flow}) ->
    %% Nobody sees what a crash could take back; and it leaves the author's answer the first turn.
    _ = twitter_store:sync(),
    AuthorJid = jid:decode(Author),
    Way = mod_twitter_opt:delivery(ServerHost),
    ok = twitter_watch:sync(),
    Own = twitter_delivery:new(AuthorJid, Flow, twitter_event:to_author(Host, Author, What), Way),
    ok = twitter_delivery:to_own(Own, Publisher, AuthorJid),
    Events = twitter_event:to_friends(Host, Author, What, mod_twitter_opt:body(ServerHost)),
    {Post, twitter_delivery:new(AuthorJid, Flow, Events, Way), twitter_rights:recipients(AuthorJid)}.

continued(#{author := Author, scope := Scope} = Post, Delivery, Fanout, Current, State) ->
    case twitter_nif:next_portion(Fanout, twitter_sessions:here()) of
        {portion, Recipients} ->
            ok = twitter_watch:sync(),
            ok = twitter_delivery:to_recipients(Delivery, in_scope(Scope, Recipients)),
            Current;
        recheck ->
            ok = twitter_watch:sync(),
            ok = twitter_rights:recheck(Fanout, jid:decode(Author)),
            Current;
        done ->
            ended(Post, State)
    end.

in_scope(everybody, Recipients) -> Recipients;
in_scope(sessions, Recipients) -> [To || {_, _, Sessions} = To <- Recipients, Sessions =/= elsewhere].
